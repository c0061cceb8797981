"""Dead letters: the record as it was, with headers that say where it was and why it is here."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime

from otokura.shared.cloudevents import KafkaRecord, Record
from otokura.shared.producer import MAX_RECORD_BYTES
from otokura.shared.topics import dead_letter_topic

HEADER = "x-otokura-"
"""Prefix of the headers that a dead letter has in addition to its own."""
NOWHERE = -1
"""Partition and offset of a letter that was never a record of a topic, such as a job that was given up."""
_LONGEST_ERROR = 500


def dead_letter(record: KafkaRecord, group: str, error: str, attempts: int) -> Record:
    """The record, unchanged but for the headers that are added.

    One that no broker would take with these is left where it is: its letter says so, with size and SHA-256.
    """
    facts = _facts(record.topic, record.partition, record.offset, Burial(group, error, attempts))
    size = len(record.key or b"") + len(record.value or b"") + _header_bytes(record)
    if size > MAX_RECORD_BYTES:
        digest = hashlib.sha256(record.value or b"").hexdigest()
        omitted = [(HEADER + "omitted-bytes", str(size).encode()), (HEADER + "sha256", digest.encode())]
        return Record(dead_letter_topic(record.topic), None, [*facts, *omitted], b"")
    own = [(name, value) for name, value in record.headers if not name.startswith(HEADER)]
    return Record(dead_letter_topic(record.topic), record.key, [*own, *facts], record.value)


def _header_bytes(record: KafkaRecord) -> int:
    return sum(len(name.encode()) + len(value or b"") for name, value in record.headers)


@dataclass(frozen=True, slots=True)
class Burial:
    """Who could not do something, why, and after how many attempts. `error` is shown: no content in it."""

    group: str
    error: str
    attempts: int

    def to_json(self, event: str) -> str:
        """This and the event (JSON) that a replay sends, as an outbox row keeps them."""
        about = {"group": self.group, "error": self.error, "attempts": self.attempts}
        return json.dumps({"burial": about, "event": event})

    @classmethod
    def from_json(cls, text: str) -> tuple[Burial, str]:
        """What `to_json` wrote."""
        kept = json.loads(text)
        return cls(**kept["burial"]), kept["event"]


def buried(record: Record, burial: Burial) -> Record:
    """The dead letter of a record that was never sent: a replay sends it for the first time."""
    facts = _facts(record.topic, NOWHERE, NOWHERE, burial)
    return Record(dead_letter_topic(record.topic), record.key, [*record.headers, *facts], record.value)


def _facts(topic: str, partition: int, offset: int, burial: Burial) -> list[tuple[str, bytes]]:
    facts = {
        "topic": topic,
        "partition": str(partition),
        "offset": str(offset),
        "group": burial.group,
        "error": burial.error[:_LONGEST_ERROR],
        "attempts": str(burial.attempts),
        "time": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
    }
    return [(HEADER + name, value.encode()) for name, value in facts.items()]
