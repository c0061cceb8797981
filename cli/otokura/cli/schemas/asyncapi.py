"""The AsyncAPI 3.0 document: which events travel on which topic, and how they look as Kafka records.

Specification: https://www.asyncapi.com/docs/reference/specification/v3.0.0; bindings: kafka 0.5.0.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from otokura.cli.schemas.events import DIALECT, FEED, EventType

SCHEMA_FORMAT = "application/schema+json;version=draft-2020-12"
KAFKA_BINDING = "0.5.0"
_TEXT = {"type": "string"}
_HEADERS = {
    "type": "object",
    "required": ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "content-type"],
    "properties": {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {
            "type": "string",
            "format": "uuid",
            "description": "The same for every repeat of an event.",
        },
        "ce_source": _TEXT,
        "ce_type": _TEXT,
        "ce_time": {"type": "string", "format": "date-time"},
        "content-type": {"const": "application/json"},
    },
}
_DESCRIPTION = """\
What Otokura tells over Kafka: CloudEvents 1.0 in binary mode (the attributes are record headers), JSON data,
keyed by the call where there is one, each at least once. Readers of a tenant's analytics see feeds alone;
all other topics belong to the services. Events change additively: readers ignore what they do not know.
"""
_FEED_PARAMETERS = {
    "tenant": {"description": "The id of the tenant."},
    "subscription": {"description": "The id of the feed (`POST /v1/feeds` on access)."},
}


def document(types: Sequence[EventType]) -> dict[str, Any]:
    """The document; payloads are references to `schemas/<type>.json` beside it."""
    by_topic: dict[str, list[EventType]] = defaultdict(list)
    for one in types:
        for topic in one.topics:
            by_topic[topic].append(one)
    topics = sorted(by_topic.items())
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Otokura events",
            "version": version("otokura-shared"),
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {_name(topic): _channel(topic, inside) for topic, inside in topics},
        "operations": {f"send-{_name(topic)}": _operation(topic) for topic, _ in topics},
        "components": {
            "messages": {one.name: _message(one) for one in types},
            "messageTraits": {"cloudevent": {"contentType": "application/json", "headers": _headers()}},
        },
    }


def _name(topic: str) -> str:
    return "feed" if topic == FEED else topic.replace(".", "-")


def _channel(topic: str, types: Sequence[EventType]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "address": topic,
        "messages": {one.title: {"$ref": f"#/components/messages/{one.name}"} for one in types},
        "bindings": {"kafka": {"bindingVersion": KAFKA_BINDING}},
    }
    return made | ({"parameters": _FEED_PARAMETERS} if topic == FEED else {})


def _operation(topic: str) -> dict[str, Any]:
    return {"action": "send", "channel": {"$ref": f"#/channels/{_name(topic)}"}}


def _message(one: EventType) -> dict[str, Any]:
    return {
        "name": one.name,
        "title": one.title,
        "summary": one.description,
        "traits": [{"$ref": "#/components/messageTraits/cloudevent"}],
        "payload": {"schemaFormat": SCHEMA_FORMAT, "schema": {"$ref": f"schemas/{one.file}"}},
        "bindings": {"kafka": {"key": dict(_TEXT), "bindingVersion": KAFKA_BINDING}},
    }


def _headers() -> dict[str, Any]:
    return {"schemaFormat": SCHEMA_FORMAT, "schema": {"$schema": DIALECT, **_HEADERS}}
