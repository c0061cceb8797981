"""Events as Kafka records: CloudEvents 1.0 in binary mode.

Headers: CloudEvents Kafka protocol binding 1.0.2 §3.2 (`ce_` + attribute; `content-type` is the data's).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TypeAlias, TypeVar, cast
from uuid import UUID

from aiokafka import ConsumerRecord
from pydantic import ValidationError

from otokura.shared.errors import Poison
from otokura.shared.events import EventData

E = TypeVar("E", bound=EventData)
JSON = b"application/json"
_MOST_TOLD = 10
KafkaRecord: TypeAlias = "ConsumerRecord[bytes | None, bytes | None]"


@dataclass(frozen=True, slots=True)
class Record:
    """What is handed to Kafka."""

    topic: str
    key: bytes | None
    headers: list[tuple[str, bytes]]
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Envelope:
    """A received CloudEvent whose data has not been looked at yet."""

    event_id: UUID
    source: str
    event_type: str
    time: datetime
    data: bytes

    def parse(self, model: type[E]) -> E:
        """The data as `model`.

        Raises:
            Poison: the data is not what the type says. The message names fields, never what was sent.
        """
        try:
            return model.model_validate_json(self.data)
        except ValidationError as error:
            problems = [
                " ".join([*_told(e["loc"], _field_names(model)), e["type"]])
                for e in error.errors(include_input=False)[:_MOST_TOLD]
            ]
            raise Poison(f"{self.event_type}: " + "; ".join(problems)) from None


def _told(path: Iterable[int | str], names: frozenset[str]) -> list[str]:
    return [str(part) if isinstance(part, int) or part in names else "?" for part in path]


@cache
def _field_names(model: type[EventData]) -> frozenset[str]:
    """Of the event and of all that is in it: a member of another name is what somebody sent."""
    schema = model.model_json_schema()
    parts = [schema, *schema.get("$defs", {}).values()]
    return frozenset(name for part in parts for name in part.get("properties", {}))


def encode(event: EventData, event_id: UUID, source: str, time: datetime) -> Record:
    """An event as a Kafka record."""
    return encode_json(
        topic=event.TOPIC,
        key=event.partition_key(),
        event_type=event.TYPE,
        event_id=event_id,
        source=source,
        time=time,
        data=event.model_dump_json().encode(),
    )


def encode_json(
    *, topic: str, key: str, event_type: str, event_id: UUID, source: str, time: datetime, data: bytes
) -> Record:
    """An event whose data is JSON already, as a Kafka record."""
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", str(event_id).encode()),
        ("ce_source", source.encode()),
        ("ce_type", event_type.encode()),
        ("ce_time", time.astimezone(UTC).isoformat().replace("+00:00", "Z").encode()),
        ("content-type", JSON),
    ]
    return Record(str(topic), key.encode(), headers, data)


def read_type(headers: Iterable[tuple[str, bytes | None]]) -> str | None:
    """The type alone, for skipping what nobody subscribed to; None when there is none."""
    for name, value in headers:
        if name == "ce_type" and value is not None:
            return value.decode("utf-8", "replace")
    return None


def decode(record: KafkaRecord) -> Envelope:
    """The envelope of a received record.

    Raises:
        Poison: it is not a CloudEvent 1.0 of Otokura's in binary mode.
    """
    received = cast("Iterable[tuple[str, bytes | None]]", record.headers)
    headers = {name: value for name, value in received if value is not None}
    try:
        attributes = {
            name: headers["ce_" + name].decode() for name in ("specversion", "id", "source", "type")
        }
        event_id = UUID(attributes["id"])
        at = datetime.fromisoformat(headers["ce_time"].decode())
    except KeyError as error:
        raise Poison(f"Not a CloudEvent in binary mode: header {error.args[0]} is missing.") from None
    except ValueError:
        raise Poison("Not a CloudEvent of Otokura's: ce_id must be a UUID and ce_time RFC 3339.") from None
    if attributes["specversion"] != "1.0" or record.value is None or at.tzinfo is None:
        raise Poison("Not a CloudEvent 1.0 with data and a time that has a zone.")
    return Envelope(event_id, attributes["source"], attributes["type"], at, record.value)
