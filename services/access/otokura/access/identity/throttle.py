"""Which refusals become entries: whoever guesses leaves a trace, and cannot flood the log (decision 0047)."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from otokura.shared import logs, metrics
from otokura.shared.audit_entries import AuditDraft
from otokura.shared.ids import uuid7

_QUIET_SECONDS = 60.0
_LOOK_SECONDS = 5.0
_MAX_REMEMBERED = 4096
_AT_ONCE = 200

UNWRITTEN = metrics.counter(
    "otokura_access_refusals_unwritten_total", "Refusals for which no entry stands: too many places at once."
)

DraftOf = Callable[[int], AuditDraft]
"""The entry, given for how many refusals it stands."""

logger = logs.get_logger(__name__)


class Log(Protocol):
    """What refusals need of the `AuditWriter`."""

    async def write(self, draft: AuditDraft, *, entry_id: UUID | None = None) -> UUID:
        """See `AuditWriter.write`."""
        ...

    async def reach(self) -> None:
        """See `AuditWriter.reach`."""
        ...

    def holds(self, entry_id: UUID) -> bool:
        """See `AuditWriter.holds`."""
        ...


@dataclass(slots=True)
class _Refusals:
    """Of one client from one place: when the last entry was written, and how many came after it."""

    written: float = float("-inf")
    left_out: int = 0
    draft_of: DraftOf | None = None
    """Of the newest of them."""


class RefusalThrottle:
    """Lets one refusal of a client from a place become an entry each minute; the rest is counted.

    Whoever guesses secrets must leave a trace, and must not be able to flood the log. Nor do they learn from
    a refusal whether it became an entry: each waits for the broker once, and is none while that is away.
    Those left out are in the next entry, which is written when their minute is over, or the process stops.
    """

    def __init__(self) -> None:
        self._written: OrderedDict[tuple[UUID | None, str], _Refusals] = OrderedDict()

    async def write(self, log: Log, client_id: UUID | None, place: str, draft_of: DraftOf) -> None:
        """Writes a refusal down, or waits until that which stands for it is acknowledged.

        Args:
            log: where to.
            client_id: who was refused; None is everybody who does not exist.
            place: from where, and why.
            draft_of: the entry, given for how many refusals it stands.

        Raises:
            Unavailable: the log cannot be reached, so that nothing may be refused.
        """
        count = self.counted(client_id, place)
        refusals = self._of(client_id, place)
        refusals.draft_of = draft_of
        if not count:
            await log.reach()  # the entry before it is acknowledged then, too
            return
        await _write(log, refusals, count)

    def counted(self, client_id: UUID | None, place: str) -> int:
        """For how many refusals to write an entry now: this one and those left out before; or none."""
        refusals = self._of(client_id, place)
        refusals.left_out += 1
        if time.monotonic() - refusals.written < _QUIET_SECONDS:
            return 0
        self._written.move_to_end((client_id, place))
        return _take(refusals)

    async def run(self, log: Log) -> None:
        """Writes what is left of each minute, for ever."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await self.write_rest(log, time.monotonic() - _QUIET_SECONDS)

    async def write_rest(self, log: Log, before: float = float("inf")) -> None:
        """Writes entries for those left out where the last entry is from before a time; else for all.

        What cannot be written now stays. A few go at once: reads wait for the same queue.
        """
        over = [(key, one) for key, one in self._written.items() if one.written <= before]
        for start in range(0, len(over), _AT_ONCE):
            some = [one for _, one in over[start : start + _AT_ONCE] if one.left_out]
            writing = [_write(log, one, _take(one)) for one in some]
            failed = [error for error in await asyncio.gather(*writing, return_exceptions=True) if error]
            if failed:
                logger.warning("refusals wait to be written", entries=len(failed), error=repr(failed[0]))
                return
        for key, one in over:
            if not one.left_out and one.written <= before:
                self._written.pop(key, None)

    def _of(self, client_id: UUID | None, place: str) -> _Refusals:
        refusals = self._written.setdefault((client_id, place), _Refusals())
        if len(self._written) > _MAX_REMEMBERED:
            _, forgotten = self._written.popitem(last=False)
            UNWRITTEN.inc(forgotten.left_out)
        return refusals


async def _write(log: Log, refusals: _Refusals, count: int) -> None:
    """Writes an entry for so many refusals. What was not taken is left out as before, and due at once."""
    if refusals.draft_of is None:
        raise AssertionError("refusals are counted with what their entry says")
    entry_id = uuid7()
    try:
        await log.write(refusals.draft_of(count), entry_id=entry_id)
    except BaseException:
        # What waits for the broker will be written; what does not was never, and the next one is due.
        if not log.holds(entry_id):
            refusals.written = float("-inf")
            refusals.left_out += count
        raise


def _take(refusals: _Refusals) -> int:
    """How many are in the entry that is written now."""
    refusals.written, count = time.monotonic(), refusals.left_out
    refusals.left_out = 0
    return count
