"""`read.closed`: how a read ended. Best effort, and never in the way of the reader or of the next read."""

from __future__ import annotations

import asyncio
from enum import StrEnum

from otokura.shared import logs, metrics
from otokura.shared.audit import AuditWriter
from otokura.shared.audit_entries import AuditDraft
from otokura.shared.errors import Unavailable

log = logs.get_logger(__name__)

LOST = metrics.counter(
    "otokura_access_read_closed_lost_total", "read.closed entries that were not acknowledged."
)


class Outcome(StrEnum):
    """How a read ended."""

    COMPLETE = "complete"
    """Every byte asked for was handed to the network."""
    ABORTED = "aborted"
    """The reader went away before that."""
    REVOKED = "revoked"
    """The permission ended while the read was under way."""
    INTEGRITY = "integrity"
    """What is stored is not what was stored."""
    UNAVAILABLE = "unavailable"
    """The store or the key provider could not be reached."""
    UNWRITTEN = "unwritten"
    """`read.opened` was not acknowledged in time, so nothing was read."""
    FAILED = "failed"
    """Something else went wrong on our side."""


class Closings:
    """Writes `read.closed` entries beside the requests, and waits for the last ones at shutdown."""

    def __init__(self, audit: AuditWriter) -> None:
        self._audit = audit
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, draft: AuditDraft) -> None:
        """Writes an entry without making anybody wait."""
        task = asyncio.create_task(self._write(draft))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self, seconds: float) -> None:
        """Waits for the entries under way, at most so long."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    async def _write(self, draft: AuditDraft) -> None:
        try:
            await self._audit.write(draft)
        except Unavailable:
            # The entry may still arrive; opened without closed means "outcome unknown".
            LOST.inc()
            log.warning("read.closed was not acknowledged", call_id=draft.call_id)
