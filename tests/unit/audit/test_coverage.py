"""Which numbers are missing: whatever the order, and however often they come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otokura.audit.coverage import Coverage, Gap

NOW = datetime(2026, 5, 1, tzinfo=UTC)
PATIENCE = timedelta(seconds=30)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def missing(coverage: Coverage) -> set[int]:
    return {seq for gap in coverage.gaps for seq in range(gap.first, gap.last + 1)}


@given(st.lists(st.one_of(st.integers(1, 60), st.tuples(st.integers(0, 60)))))
def test_exactly_what_did_not_come_is_missing(heard: list[int | tuple[int]]) -> None:
    """Numbers come in any order and more than once; a tuple is a heartbeat."""
    coverage = Coverage()
    for told in heard:
        coverage = coverage.declare(told[0], NOW) if isinstance(told, tuple) else coverage.see(told, NOW)
    seen = {told for told in heard if isinstance(told, int)}
    high = max([told if isinstance(told, int) else told[0] for told in heard], default=0)
    assert coverage.high == high
    assert missing(coverage) == set(range(1, high + 1)) - seen
    assert all(gap.first <= gap.last for gap in coverage.gaps)


@given(st.permutations(range(1, 30)), st.lists(st.integers(1, 29)))
def test_once_all_have_come_nothing_is_missing(order: list[int], repeats: list[int]) -> None:
    coverage = Coverage()
    for seq in [*order, *repeats]:
        coverage = coverage.see(seq, NOW)
    assert coverage == Coverage(29)


@pytest.mark.guarantee("L4")
def test_a_gap_is_reported_after_its_time_and_once() -> None:
    coverage = Coverage().see(1, NOW).see(5, NOW)
    assert coverage.overdue(after(29.9), PATIENCE) == []
    gaps = coverage.overdue(after(30), PATIENCE)
    assert gaps == [Gap(2, 4, NOW)]
    coverage = coverage.alerted(gaps)
    assert coverage.overdue(after(3600), PATIENCE) == []


def test_a_gap_that_closes_in_time_is_no_gap() -> None:
    coverage = Coverage().see(1, NOW).see(3, NOW).see(2, after(29))
    assert coverage.overdue(after(3600), PATIENCE) == []


def test_what_is_left_of_a_reported_gap_is_not_reported_again() -> None:
    coverage = Coverage().see(10, NOW)
    coverage = coverage.alerted(coverage.overdue(after(30), PATIENCE)).see(5, after(31))
    assert missing(coverage) == {*range(1, 10)} - {5}
    assert coverage.overdue(after(3600), PATIENCE) == []


def test_a_second_gap_has_its_own_time() -> None:
    coverage = Coverage().see(1, NOW).see(3, NOW).see(5, after(20))
    assert coverage.overdue(after(30), PATIENCE) == [Gap(2, 2, NOW)]
    assert coverage.overdue(after(50), PATIENCE) == [Gap(2, 2, NOW), Gap(4, 4, after(20))]


def test_a_heartbeat_shows_that_the_last_entries_are_missing() -> None:
    coverage = Coverage().see(1, NOW).declare(3, NOW)
    assert coverage.overdue(after(30), PATIENCE) == [Gap(2, 3, NOW)]
