"""Which refusals become entries: whoever guesses leaves a trace, and cannot flood the log."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol
from uuid import UUID

from otokura.shared.audit_entries import AuditDraft
from otokura.shared.ids import uuid7

_QUIET_SECONDS = 60.0
_MAX_REMEMBERED = 4096


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


class RefusalThrottle:
    """Lets one refusal of a client from a place become an entry each minute; the rest is counted.

    Whoever guesses secrets must leave a trace, and must not be able to flood the log. Nor do they learn from
    a refusal whether it became an entry: each waits for the broker once, and is none while that is away.
    """

    def __init__(self) -> None:
        self._written: OrderedDict[tuple[UUID | None, str], tuple[float, int]] = OrderedDict()

    async def write(
        self, log: Log, client_id: UUID | None, place: str, draft_of: Callable[[int], AuditDraft]
    ) -> None:
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
        if not count:
            await log.reach()  # the entry before it is acknowledged then, too
            return
        entry_id = uuid7()
        try:
            await log.write(draft_of(count), entry_id=entry_id)
        except BaseException:
            # What waits for the broker will be written; what does not was never, and the next one is due.
            if not log.holds(entry_id):
                self._take_back(client_id, place, count)
            raise

    def counted(self, client_id: UUID | None, place: str) -> int:
        """For how many refusals to write an entry now: this one and those left out before; or none."""
        key, now = (client_id, place), time.monotonic()
        written, left_out = self._written.get(key, (float("-inf"), 0))
        if now - written < _QUIET_SECONDS:
            self._written[key] = (written, left_out + 1)
            return 0
        self._remember(key, now, 0)
        return left_out + 1

    def _take_back(self, client_id: UUID | None, place: str, count: int) -> None:
        """Of refusals that were counted, and are in no entry."""
        key = (client_id, place)
        _, left_out = self._written.get(key, (float("-inf"), 0))
        self._remember(key, float("-inf"), left_out + count)

    def _remember(self, key: tuple[UUID | None, str], written: float, left_out: int) -> None:
        self._written[key] = (written, left_out)
        self._written.move_to_end(key)
        if len(self._written) > _MAX_REMEMBERED:
            self._written.popitem(last=False)
