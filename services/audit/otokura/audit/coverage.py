"""Which numbers of a source have come, and which are missing: pure decisions, without false alarms.

A source numbers its entries 1, 2, 3 … and says in heartbeats what the last one was. Messages come more
than once and out of order, so a missing number means nothing at first. It is a **gap** once it has been
missing for a while during which everything else was heard, and it is reported once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

MOST_GAPS = 1000
"""Of one source: an honest one is far below, and one that skips every other number is bounded."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A run of numbers that should have come.

    Attributes:
        first: the first missing number.
        last: the last missing number.
        since: when it was first noticed.
        alerted: whether it was reported.
    """

    first: int
    last: int
    since: datetime
    alerted: bool = False


@dataclass(frozen=True, slots=True)
class Coverage:
    """The numbers of one source: all up to `high` have come, but for the gaps.

    Attributes:
        high: the highest number seen or declared.
        gaps: what is missing below it, in order, never overlapping.
    """

    high: int = 0
    gaps: tuple[Gap, ...] = ()

    def covers(self, seq: int) -> bool:
        """Whether the number has come."""
        return 0 < seq <= self.high and self.gap_of(seq) is None

    def gap_of(self, seq: int) -> Gap | None:
        """The gap that a number would fill."""
        return next((gap for gap in self.gaps if gap.first <= seq <= gap.last), None)

    def see(self, seq: int, now: datetime) -> Coverage:
        """After the entry `seq` came, whether new or a repeat."""
        if seq == self.high + 1:
            return Coverage(seq, self.gaps)
        if seq > self.high:
            return replace(self._reach(seq - 1, now), high=seq)
        return replace(self, gaps=tuple(_without(self.gaps, seq)))

    def declare(self, last_seq: int, now: datetime) -> Coverage:
        """After the source said that `last_seq` is the last number it gave."""
        return self._reach(last_seq, now)

    def _reach(self, last: int, now: datetime) -> Coverage:
        if last <= self.high:
            return self
        return Coverage(last, _bounded((*self.gaps, Gap(self.high + 1, last, now))))

    def overdue(self, now: datetime, patience: timedelta) -> list[Gap]:
        """Gaps not reported yet that are older than `patience`."""
        return [gap for gap in self.gaps if not gap.alerted and now - gap.since >= patience]

    def alerted(self, reported: Iterable[Gap]) -> Coverage:
        """After these gaps were reported."""
        known = set(reported)
        return replace(
            self, gaps=tuple(replace(gap, alerted=gap.alerted or gap in known) for gap in self.gaps)
        )


def _bounded(gaps: tuple[Gap, ...]) -> tuple[Gap, ...]:
    """Not more than the most: the two oldest become one, with what came between them."""
    if len(gaps) <= MOST_GAPS:
        return gaps
    one, other, *rest = gaps
    merged = Gap(one.first, other.last, min(one.since, other.since), one.alerted and other.alerted)
    return merged, *rest


def _without(gaps: Iterable[Gap], seq: int) -> Iterable[Gap]:
    for gap in gaps:
        if not gap.first <= seq <= gap.last:
            yield gap
            continue
        if gap.first < seq:
            yield replace(gap, last=seq - 1)
        if seq < gap.last:
            yield replace(gap, first=seq + 1)
