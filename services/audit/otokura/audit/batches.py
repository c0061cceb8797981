"""From a batch of Kafka records to what the log does with it: pure, and run in a thread of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from otokura.audit import acceptance
from otokura.audit.leaves import Prepared, prepare
from otokura.audit.news import Message, News
from otokura.audit.source_keys import SourceKeys
from otokura.shared.audit_entries import Signed, canonical
from otokura.shared.audit_events import AlertKind, AuditCounted, AuditHeartbeat, AuditRecorded
from otokura.shared.errors import Poison
from otokura.shared.kafka import decode


@dataclass(frozen=True, slots=True)
class Rejected:
    """A message that does not become an entry.

    Attributes:
        message: as it came.
        source: whom it claims to be of, bounded; empty when it is not even an audit event.
        kind: of the alert.
        code: tells alerts of one kind apart: a word of ours, never of the message.
        reason: the same for people, without anything of what the message held.
    """

    message: Message
    source: str
    kind: AlertKind
    code: str
    reason: str


@dataclass
class Batch:
    """What a batch holds.

    Attributes:
        prepared: entries to sequence, in the order in which they came.
        origins: the message of each of these.
        counted: what sources counted of their reads, in the order in which it came.
        news: what was heard of each source, repeats included.
        rejected: what is not believed or not understood.
    """

    prepared: list[Prepared] = field(default_factory=list[Prepared])
    origins: list[Message] = field(default_factory=list[Message])
    counted: list[AuditCounted] = field(default_factory=list[AuditCounted])
    news: dict[str, News] = field(default_factory=dict[str, News])
    rejected: list[Rejected] = field(default_factory=list[Rejected])

    def heard(self, source: str, partition: int) -> News:
        """The news of a source, to add to."""
        return self.news.setdefault(source, News(partition))


def join(batches: Sequence[Batch]) -> Batch:
    """One batch of several that were read of stretches of it, in order: as if all had been read at once."""
    whole = Batch()
    for batch in batches:
        whole.prepared += batch.prepared
        whole.origins += batch.origins
        whole.rejected += batch.rejected
        whole.counted += batch.counted
        for source, told in batch.news.items():
            whole.heard(source, told.partition).follow(told)
    return whole


def read_batch(messages: Iterable[Message], keys: SourceKeys) -> Batch:
    """Decodes and verifies messages; what cannot be trusted is set aside, never raised."""
    batch = Batch()
    for message in messages:
        try:
            _read(message, keys, batch)
        except (Poison, ValueError) as error:
            reason = error.detail if isinstance(error, Poison) else str(error)
            batch.rejected.append(Rejected(message, "", "rejected", "unreadable", reason))
    return batch


def _read(message: Message, keys: SourceKeys, batch: Batch) -> None:
    if acceptance.too_large(message.value):
        reason = f"a message of {len(message.value or b'')} bytes is too large"
        batch.rejected.append(Rejected(message, "", "rejected", "too-large", reason))
        return
    envelope = decode(message)
    event: Signed
    if envelope.event_type == AuditRecorded.TYPE:
        event = envelope.parse(AuditRecorded)
    elif envelope.event_type == AuditHeartbeat.TYPE:
        event = envelope.parse(AuditHeartbeat)
    elif envelope.event_type == AuditCounted.TYPE:
        event = envelope.parse(AuditCounted)
    else:
        # Of a newer service, perhaps: once this one is newer too, `otokura dlq replay` brings it back.
        reason = "the log knows no events of this type and version"
        batch.rejected.append(Rejected(message, "", "rejected", "unknown-type", reason))
        return
    signed = _signed(event)
    rejected = _objection(message, event, signed, keys)
    if rejected is not None:
        batch.rejected.append(rejected)
    elif isinstance(event, AuditRecorded):
        batch.prepared.append(prepare(event, signed=signed))
        batch.origins.append(message)
        batch.heard(event.source, message.partition).seqs.append(event.seq)
    elif isinstance(event, AuditHeartbeat):
        batch.heard(event.source, message.partition).declare(event, message)
    else:
        batch.counted.append(event)


def _signed(event: Signed) -> bytes | None:
    """The bytes that are signed, made once; None where nobody can have signed it: it is not I-JSON."""
    try:
        return canonical(event)
    except ValueError:
        return None


def _objection(message: Message, event: Signed, signed: bytes | None, keys: SourceKeys) -> Rejected | None:
    unknown = keys.objection(event, signed)
    if unknown is not None:
        return Rejected(message, event.source[:_LONGEST_CLAIM], "bad-signature", "signature", unknown)
    refused = acceptance.objection(event, signed)
    if refused is not None:
        return Rejected(message, event.source[:_LONGEST_CLAIM], "rejected", *refused)
    return None


_LONGEST_CLAIM = 100
