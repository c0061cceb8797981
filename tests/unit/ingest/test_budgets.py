"""Budgets: what is given, what is refused and for how long, and what is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otokura.ingest.budgets import Budget

HOUR = 3600
"""So long that nothing comes back while a test runs."""


@given(st.integers(1, 50), st.integers(0, 60))
def test_exactly_the_amount_is_given(amount: int, asked: int) -> None:
    budget = Budget(HOUR)
    standings = [budget.take("a", amount) for _ in range(asked)]
    assert [standing.wait == 0 for standing in standings] == [number < amount for number in range(asked)]
    assert [standing.remaining for standing in standings] == [max(0, amount - 1 - n) for n in range(asked)]


def test_who_is_refused_is_told_when_to_come_back() -> None:
    budget = Budget(HOUR)
    budget.take("a", 2)
    budget.take("a", 2)
    refused = budget.take("a", 2)
    assert HOUR / 2 - 5 < refused.wait <= HOUR / 2
    assert refused.headers("requests") == {
        "RateLimit-Policy": '"requests";q=2;w=3600',
        "RateLimit": f'"requests";r=0;t={HOUR}',
    }


def test_what_was_used_comes_back() -> None:
    budget = Budget(1)
    while not budget.take("a", 20).wait:
        pass
    while budget.take("a", 20).wait:
        pass


def test_each_key_has_its_own() -> None:
    budget = Budget(HOUR)
    assert [budget.take(key, 1).wait > 0 for key in ("a", "b", "a")] == [False, False, True]


@pytest.mark.parametrize(("wanted", "missing"), [(600, 0), (601, 1), (1000, 400), (10**12, 400)])
def test_a_look_uses_nothing(wanted: int, missing: int) -> None:
    """Of more than there ever can be, a full budget is enough: else a large file could never come."""
    budget = Budget(HOUR)
    budget.spend("a", 1000, 400)
    for _ in range(3):
        assert budget.look("a", 1000, wanted).wait == pytest.approx(missing * 3.6, abs=3.6)
    assert budget.look("b", 1000, 10**12).wait == 0


def test_what_is_spent_beyond_the_end_is_no_debt() -> None:
    """A call that goes on after the bytes are used up does not lengthen the wait of the next."""
    budget = Budget(HOUR)
    for _ in range(5):
        budget.spend("a", HOUR, 2000)
    assert budget.look("a", HOUR, 1000).wait == pytest.approx(1000, abs=5)
