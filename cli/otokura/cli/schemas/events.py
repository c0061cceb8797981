"""Every type of event, and its JSON Schema (draft 2020-12)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from otokura.shared import audit_events, events, feeds
from otokura.shared.events import CallErased, EventData

DEFINING = (events, audit_events)
"""Importing these is what defines the events."""

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FEED = "otokura.feed.{tenant}.{subscription}"
"""The address of every feed, as a template."""
PACKAGE = "otokura.shared."


@dataclass(frozen=True, slots=True)
class EventType:
    """A type of event: its name on the wire, where it travels, and its model."""

    name: str
    topics: tuple[str, ...]
    model: type[BaseModel]

    @property
    def title(self) -> str:
        """The model's name."""
        return self.model.__name__

    @property
    def description(self) -> str:
        """What it tells, from the model."""
        return (self.model.__doc__ or "").strip().partition("\n")[0]

    @property
    def file(self) -> str:
        """The schema's file, in the folder of schemas."""
        return f"{self.name}.json"

    def schema(self) -> dict[str, Any]:
        """What a reader must be ready for: members that older events lack are not required."""
        made = self.model.model_json_schema(mode="validation")
        return {"$schema": DIALECT, "$id": f"urn:otokura:event:{self.name}", **made}


def event_types() -> list[EventType]:
    """All of them, by name.

    Raises:
        ValueError: two models have one name on the wire.
    """
    found = [*_internal(), *_of_feeds()]
    names = [one.name for one in found]
    if len(set(names)) != len(names):
        raise ValueError(f"Two events have one type: {sorted(names)}")
    return sorted(found, key=lambda one: one.name)


def _internal() -> Iterator[EventType]:
    for model in _concrete(EventData):
        topics = (FEED,) if model is CallErased else (str(model.TOPIC),)
        yield EventType(model.TYPE, topics, model)


def _concrete(model: type[EventData]) -> Iterator[type[EventData]]:
    for child in model.__subclasses__():
        # Tests define events of their own.
        if "TYPE" in vars(child) and child.__module__.startswith(PACKAGE):
            yield child
        yield from _concrete(child)


def _of_feeds() -> Iterator[EventType]:
    for model in (feeds.FeedTranscriptCompleted, feeds.FeedTranscriptPartial):
        yield EventType(model.TYPE, (FEED,), model)
