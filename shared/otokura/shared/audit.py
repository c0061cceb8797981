"""Audit entries on their way to the log: numbered, signed, and acknowledged before anything else happens.

A source is one running instance of a service. It numbers its entries from 1, signs each with the service's
Ed25519 key over the RFC 8785 canonical JSON, and sends them in the order of their numbers, one batch at a
time to one partition. What Kafka holds is therefore always 1…n without a hole, whatever fails or is killed;
an entry whose acknowledgement is late stays first in the queue until it has it. A heartbeat says the last
number given and travels in the same order.

For the log: one `entry_id` may arrive twice, under the same number (a repeat) or under two numbers (the
outbox of a killed instance, sent again by its successor). It is one entry; both numbers count as seen.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from otokura.shared.audit_entries import (
    Action,
    AuditDraft,
    canonical,
    instant,
    read_signing_key,
    text_objection,
    verify_signature,
)
from otokura.shared.audit_events import AuditCounted, AuditHeartbeat, AuditRecorded
from otokura.shared.background import run_together
from otokura.shared.canonical_json import canonical_json
from otokura.shared.cloudevents import Record, encode_json
from otokura.shared.errors import Unavailable
from otokura.shared.events import Topic
from otokura.shared.ids import uuid7
from otokura.shared.metrics import histogram
from otokura.shared.producer import MAX_RECORD_BYTES, Producer
from otokura.shared.read_counts import ReadCounts

__all__ = ["Action", "AuditDraft", "AuditWriter", "canonical", "read_signing_key", "verify_signature"]

HEARTBEAT_SECONDS = 5.0
MAX_QUEUE = 2_000
_CHUNK = 256
RETRY_SECONDS = 0.2

ACKNOWLEDGED = histogram(
    "otokura_audit_acknowledgement_seconds",
    "How long the broker takes to acknowledge a batch of audit entries.",
)

log = structlog.stdlib.get_logger(__name__)


@dataclass(slots=True)
class _Queued:
    """A signed record that waits for its acknowledgement; `entry_id` is None for a heartbeat."""

    record: Record
    entry_id: UUID | None
    since: float
    waiters: list[asyncio.Future[None]] = field(default_factory=list[asyncio.Future[None]])


class AuditWriter:
    """The one writer of audit entries of a process.

    Args:
        producer: a producer of its own: entries must not queue behind other traffic, reads wait for them.
        service: `ingest`, `transcribe`, `access` or `audit`.
        private_key: the service's signing key.
        max_queue: entries that may wait for acknowledgement.
        heartbeat_seconds: how often the source says that it lives.
        retry_seconds: how long after a failure the queue is sent again.
    """

    def __init__(
        self,
        producer: Producer,
        service: str,
        private_key: Ed25519PrivateKey,
        *,
        max_queue: int = MAX_QUEUE,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self.source = f"{service}/{uuid7()}"
        self.reads = ReadCounts()
        """What this process serves; told with the heartbeats."""
        self._producer = producer
        self._key = private_key
        self._max_queue = max_queue
        self._heartbeat_seconds = heartbeat_seconds
        self._retry_seconds = retry_seconds
        self._seq = 0
        self._queue: deque[_Queued] = deque()
        self._waiting: dict[UUID, _Queued] = {}
        self._wake = asyncio.Event()
        self._drained = asyncio.Event()
        self._open = False
        self._under_way = 0
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Opens the source. Does not wait for the broker; `check` says whether entries get through."""
        self._open = True
        self._enqueue_entry(AuditDraft(action=Action.SOURCE_OPENED), uuid7())
        self._task = asyncio.create_task(self._run(), name="audit-writer")

    async def stop(self, timeout: float = 5.0) -> None:  # noqa: ASYNC109 - what is left then stays unsent
        """Closes the source: refuses further entries, and sends what waits for at most `timeout` seconds."""
        if self._task is None:
            return
        self._enqueue_entry(AuditDraft(action=Action.SOURCE_CLOSED), uuid7())
        self._open = False
        self._enqueue_counts()
        self._enqueue_heartbeat(closed=True)
        self._drained.clear()
        drained = asyncio.create_task(self._drained.wait())
        await asyncio.wait({self._task, drained}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        drained.cancel()
        self._task.cancel()
        await asyncio.wait({self._task})
        if self._queue:
            log.error("audit.closed_with_unsent", source=self.source, unsent=len(self._queue))
        self._task = None

    async def write(
        self,
        draft: AuditDraft,
        *,
        entry_id: UUID | None = None,
        timeout: float = 5.0,  # noqa: ASYNC109 - part of the contract: the entry outlives the wait
    ) -> UUID:
        """Writes an entry and returns its id once the broker has acknowledged it.

        Args:
            draft: what happened.
            entry_id: to repeat a write whose outcome is unknown; a waiting entry is not numbered twice.
            timeout: seconds.

        Raises:
            Unavailable: not acknowledged in time, or too many wait already. In the first case the entry
                may still reach the log.
            ValueError: the draft cannot be an entry (too large, not I-JSON, or a text that the log does not
                take). No number is used up.
        """
        entry_id = entry_id or uuid7()
        queued = self._waiting.get(entry_id)
        if queued is None or not self._open:
            self._check_room()
            queued = self._enqueue_entry(draft, entry_id)
        await _acknowledgement(queued, timeout)
        return entry_id

    async def reach(self, *, timeout: float = 5.0) -> None:  # noqa: ASYNC109 - as of `write`
        """Waits as long as a `write` would, for the acknowledgement of a heartbeat.

        All that was written before is acknowledged then, too. Of many who wait, one heartbeat is sent with
        each batch.

        Args:
            timeout: seconds.

        Raises:
            Unavailable: not acknowledged in time, or too many wait already.
        """
        self._check_room()
        last = self._queue[-1] if len(self._queue) > self._under_way else None
        queued = last if last is not None and last.entry_id is None else self._enqueue_heartbeat()
        await _acknowledgement(queued, timeout)

    def holds(self, entry_id: UUID) -> bool:
        """Whether an entry waits for its acknowledgement, to be sent until it has it."""
        return entry_id in self._waiting

    def _check_room(self) -> None:
        if not self._open:
            raise Unavailable("The audit log is closed: the service is stopping.")
        if len(self._queue) >= self._max_queue:
            raise Unavailable("Too many audit entries wait for the message broker; try again shortly.")

    async def check(self) -> None:
        """Readiness.

        Raises:
            Unavailable: entries do not get through.
        """
        oldest = self._queue[0].since if self._queue else None
        if self._task is None or self._task.done():
            raise Unavailable("The audit writer is not running.")
        if oldest is not None and asyncio.get_running_loop().time() - oldest > self._heartbeat_seconds:
            raise Unavailable("Audit entries are not acknowledged by the message broker.")

    async def failed(self) -> None:
        """Waits until the writer has crashed and raises why: give this to the process's `Supervisor`."""
        if self._task is not None:
            await asyncio.shield(self._task)

    def _enqueue_entry(self, draft: AuditDraft, entry_id: UUID) -> _Queued:
        seq, now = self._seq + 1, datetime.now(UTC)
        members: dict[str, Any] = {
            "entry_id": str(entry_id),
            "source": self.source,
            "seq": seq,
            "time": instant(now),
            "tenant_id": str(draft.tenant_id) if draft.tenant_id else None,
            "action": str(draft.action),
            "reader": draft.reader,
            "call_id": str(draft.call_id) if draft.call_id else None,
            "detail": draft.detail,
        }
        queued = self._enqueue(AuditRecorded.TYPE, entry_id, members, entry_id, now)
        # Only now is the number given: whatever could not be encoded has not used one up.
        self._seq = seq
        self._waiting[entry_id] = queued
        return queued

    def _enqueue_heartbeat(self, *, closed: bool = False) -> _Queued:
        now = datetime.now(UTC)
        members = {"source": self.source, "last_seq": self._seq, "time": instant(now), "closed": closed}
        return self._enqueue(AuditHeartbeat.TYPE, uuid7(), members, None, now)

    def _enqueue_counts(self) -> None:
        """Whose entries were all written before: with the counts goes the last number."""
        while reads := self.reads.news():
            now = datetime.now(UTC)
            counts = {str(tenant_id): count.model_dump() for tenant_id, count in reads.items()}
            members = {"source": self.source, "last_seq": self._seq, "time": instant(now), "reads": counts}
            self._enqueue(AuditCounted.TYPE, uuid7(), members, None, now)

    def _enqueue(
        self, event_type: str, event_id: UUID, members: dict[str, Any], entry_id: UUID | None, now: datetime
    ) -> _Queued:
        signed = canonical_json(members)
        if entry_id is not None and (why := _objection(members, signed)) is not None:
            raise ValueError(f"No audit entry: {why}.")
        signature = base64.b64encode(self._key.sign(signed))
        data = signed[:-1] + b',"signature":"' + signature + b'"}'
        if len(data) > MAX_RECORD_BYTES:
            raise ValueError(f"An audit entry of {len(data)} bytes is too large.")
        record = encode_json(
            topic=Topic.AUDIT,
            key=self.source,
            event_type=event_type,
            event_id=event_id,
            source=self.source,
            time=now,
            data=data,
        )
        queued = _Queued(record, entry_id, asyncio.get_running_loop().time())
        self._queue.append(queued)
        self._wake.set()
        return queued

    async def _run(self) -> None:
        await run_together(self._send(), self._beat())

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._heartbeat_seconds)
            # While the broker is away one waiting heartbeat says no less than many.
            if self._open and not any(queued.entry_id is None for queued in self._queue):
                self._enqueue_counts()
                self._enqueue_heartbeat()

    async def _send(self) -> None:
        while True:
            while not self._queue:
                self._drained.set()
                self._wake.clear()
                await self._wake.wait()
            chunk = [self._queue[i] for i in range(min(_CHUNK, len(self._queue)))]
            began, self._under_way = time.perf_counter(), len(chunk)
            outcome = await self._producer.send_all([queued.record for queued in chunk])
            self._under_way = 0
            ACKNOWLEDGED.observe(time.perf_counter() - began)
            # One key, one partition: what is acknowledged is a beginning of the chunk.
            for _ in range(sum(outcome)):
                self._acknowledge(self._queue.popleft())
            if not all(outcome):
                await asyncio.sleep(self._retry_seconds)
            # Callers that write one entry after another join the next batch instead of missing it.
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    def _acknowledge(self, queued: _Queued) -> None:
        if queued.entry_id is not None:
            self._waiting.pop(queued.entry_id, None)
        for waiter in queued.waiters:
            # Done already where its caller gave up.
            if not waiter.done():
                waiter.set_result(None)


def _objection(members: dict[str, Any], signed: bytes) -> str | None:
    """Why the log would refuse what has been acknowledged, in words that repeat nothing of it."""
    found = text_objection(members["action"], members["reader"], members["detail"], signed)
    return None if found is None else found[1]


async def _acknowledgement(queued: _Queued, timeout: float) -> None:  # noqa: ASYNC109 - of `write`
    acknowledged = asyncio.get_running_loop().create_future()
    queued.waiters.append(acknowledged)
    try:
        async with asyncio.timeout(timeout):
            await acknowledged
    except TimeoutError:
        raise Unavailable("The audit entry was not acknowledged in time; try again shortly.") from None
