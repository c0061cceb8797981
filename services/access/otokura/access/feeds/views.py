"""What the routes of feeds take and give."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from otokura.access.feeds.models import FeedRecord
from otokura.shared.feeds import FeedField, topic_of


class Redaction(StrEnum):
    """Whether a feed gets text as it was said."""

    REDACTED = "redacted"
    RAW = "raw"


class FeedState(StrEnum):
    """Where a feed stands."""

    PREPARING = "preparing"
    """The broker's topic and lists are being made as the feed asks; `problem` says what is in the way."""
    READY = "ready"
    DISABLED = "disabled"


Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Purpose = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9-]{0,62}$", description="One of the tenant's purposes.")
]
BrokerPrincipal = Annotated[
    str,
    Field(
        max_length=255,
        pattern=r"^User:[A-Za-z0-9][A-Za-z0-9 ._@=,/-]*$",
        description="Who may read the topic, as the broker knows them (`User:` and the SASL user or the "
        "distinguished name of a certificate). Everybody (`User:*`) cannot be named.",
    ),
]
Principals = Annotated[list[BrokerPrincipal], Field(min_length=1, max_length=20)]
Fields = Annotated[
    frozenset[FeedField],
    Field(min_length=1, description="Which parts of a transcript are given; `words` needs `turns`."),
]


def _check_fields(fields: frozenset[FeedField] | None) -> None:
    if fields and FeedField.WORDS in fields and FeedField.TURNS not in fields:
        raise ValueError("words are part of turns: ask for turns, too")


class FeedBody(BaseModel):
    """A new subscription of analytics."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": "Voice of the customer",
                    "purpose": "quality",
                    "fields": ["turns", "call"],
                    "principals": ["User:midori-analytics"],
                }
            ]
        },
    )
    name: Name
    purpose: Purpose
    fields: Fields = frozenset({FeedField.TURNS, FeedField.CALL})
    redaction: Redaction = Redaction.REDACTED
    partials: bool = Field(default=False, description="Whether text of calls that still go on is given, too.")
    principals: Principals

    @model_validator(mode="after")
    def _whole(self) -> Self:
        _check_fields(self.fields)
        return self


class FeedChange(BaseModel):
    """What is to change; the rest stays (RFC 7396)."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"enabled": False}]})
    name: Name | None = None
    purpose: Purpose | None = None
    fields: Fields | None = None
    redaction: Redaction | None = None
    partials: bool | None = None
    principals: Principals | None = None
    enabled: bool | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        _check_fields(self.fields)
        if any(getattr(self, name) is None for name in self.model_fields_set):
            raise ValueError("nothing of a feed can be null: leave out what stays")
        return self


class FeedView(BaseModel):
    """A subscription. Consumer groups must begin with the topic's name."""

    id: UUID
    name: str
    purpose: str
    fields: list[FeedField]
    redaction: Redaction
    partials: bool
    principals: list[str]
    enabled: bool
    topic: str
    state: FeedState
    problem: str | None
    version: int
    created_at: datetime
    changed_at: datetime

    @classmethod
    def of(cls, record: FeedRecord) -> FeedView:
        """The view of a row."""
        about: dict[str, Any] = record.model_dump()
        return cls.model_validate(
            about | {"topic": topic_of(record.tenant_id, record.id), "state": _state(record)}
        )


class FeedList(BaseModel):
    """All feeds of a tenant."""

    items: list[FeedView]


def _state(record: FeedRecord) -> FeedState:
    if record.provisioned_version != record.version:
        return FeedState.PREPARING
    return FeedState.READY if record.enabled else FeedState.DISABLED
