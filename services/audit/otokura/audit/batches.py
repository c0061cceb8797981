"""From a batch of Kafka records to what the log does with it: pure, and run in a thread of its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from aiokafka import ConsumerRecord

from otokura.audit.leaves import Prepared, prepare
from otokura.audit.repository import News
from otokura.audit.source_keys import SourceKeys
from otokura.shared.audit_events import AuditHeartbeat, AuditRecorded
from otokura.shared.errors import Poison
from otokura.shared.kafka import decode

Message: TypeAlias = ConsumerRecord[bytes | None, bytes | None]


@dataclass(frozen=True, slots=True)
class Rejected:
    """A message that does not become an entry."""

    message: Message
    source: str
    reason: str
    forged: bool
    """Whether it claims to be a source's; otherwise it is not even an audit event."""


@dataclass
class Batch:
    """What a batch holds.

    Attributes:
        prepared: entries to sequence, in the order in which they came.
        news: what was heard of each source, repeats included.
        rejected: what is not believed or not understood.
    """

    prepared: list[Prepared] = field(default_factory=list[Prepared])
    news: dict[str, News] = field(default_factory=dict[str, News])
    rejected: list[Rejected] = field(default_factory=list[Rejected])

    def heard(self, source: str, partition: int) -> News:
        """The news of a source, to add to."""
        return self.news.setdefault(source, News(partition))


def read_batch(messages: Iterable[Message], keys: SourceKeys) -> Batch:
    """Decodes and verifies messages; what cannot be trusted is set aside, never raised."""
    batch = Batch()
    for message in messages:
        try:
            _read(message, keys, batch)
        except (Poison, ValueError) as error:
            reason = error.detail if isinstance(error, Poison) else str(error)
            batch.rejected.append(Rejected(message, "", reason, forged=False))
    return batch


def _read(message: Message, keys: SourceKeys, batch: Batch) -> None:
    envelope = decode(message)
    event: AuditRecorded | AuditHeartbeat
    if envelope.event_type == AuditRecorded.TYPE:
        event = envelope.parse(AuditRecorded)
    elif envelope.event_type == AuditHeartbeat.TYPE:
        event = envelope.parse(AuditHeartbeat)
    else:
        return
    objection = keys.objection(event)
    if objection is not None:
        batch.rejected.append(Rejected(message, event.source, objection, forged=True))
        return
    if isinstance(event, AuditRecorded):
        batch.prepared.append(prepare(event))
        batch.heard(event.source, message.partition).seqs.append(event.seq)
    else:
        told = batch.heard(event.source, message.partition)
        told.last_seq = max(told.last_seq, event.last_seq)
        told.closed = told.closed or event.closed
