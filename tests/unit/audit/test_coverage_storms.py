"""Sources in a storm: whatever is repeated, out of order, restarted or killed, true gaps alone are reported.

Sources send in order and say their last number. Some of what they send is lost for good, the rest comes with
a delay below the patience, some of it again and again, long after, too. The log restarts at any moment. A
source may be killed: what it had not sent then was never declared, and nobody may miss it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from otokura.audit.coverage import Coverage, Gap

BEGAN = datetime(2026, 5, 1, tzinfo=UTC)
PATIENCE = timedelta(seconds=30)
_GAPS = TypeAdapter(tuple[Gap, ...])


@dataclass(frozen=True)
class Sent:
    """What becomes of one message: an entry, or a heartbeat after it."""

    heartbeat: bool
    lost: bool
    after: int
    """Seconds since the message before it."""
    delays: tuple[int, ...]
    """Of its deliveries: the first below the patience, the others any."""


@st.composite
def messages(draw: st.DrawFn) -> Sent:
    first = draw(st.integers(0, 29))
    again = draw(st.lists(st.integers(0, 500), max_size=2))
    heartbeat = draw(st.integers(0, 3)) == 0
    return Sent(heartbeat, draw(st.integers(0, 4)) == 0, draw(st.integers(0, 20)), (first, *again))


def deliveries(sent: list[Sent]) -> tuple[list[tuple[int, int, bool]], set[int]]:
    """When which number comes, and whether as a heartbeat's; and which entries never do."""
    at, seq = 0, 0
    coming: list[tuple[int, int, bool]] = []
    lost: set[int] = set()
    for one in sent:
        at, seq = at + one.after, seq + (not one.heartbeat)
        if one.lost:
            lost |= set() if one.heartbeat else {seq}
        else:
            coming += [(at + delay, seq, one.heartbeat) for delay in one.delays]
    return sorted(coming), lost


def restarted(coverage: Coverage) -> Coverage:
    """As it comes back from the database."""
    return Coverage(coverage.high, _GAPS.validate_json(_GAPS.dump_json(coverage.gaps)))


@pytest.mark.guarantee("L4")
@settings(max_examples=300, deadline=None)
@given(st.lists(messages(), max_size=40), st.integers(1, 7))
def test_true_gaps_alone_are_reported_and_each_number_once(sent: list[Sent], restart_every: int) -> None:
    coming, lost = deliveries(sent)
    coverage, reported = Coverage(), list[int]()

    def look(now: datetime) -> None:
        nonlocal coverage
        overdue = coverage.overdue(now, PATIENCE)
        reported.extend(seq for gap in overdue for seq in range(gap.first, gap.last + 1))
        coverage = coverage.alerted(overdue)

    for place, (at, seq, heartbeat) in enumerate(coming):
        now = BEGAN + timedelta(seconds=at)
        coverage = coverage.declare(seq, now) if heartbeat else coverage.see(seq, now)
        if place % restart_every == 0:
            coverage = restarted(coverage)
        look(now)
    look(BEGAN + timedelta(days=1))
    high = max((seq for _, seq, _ in coming), default=0)
    assert sorted(reported) == sorted(seq for seq in lost if seq <= high)
    assert {seq for gap in coverage.gaps for seq in range(gap.first, gap.last + 1)} == set(reported)
