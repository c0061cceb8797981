"""What an erasure waits for, and how long what is kept: pure decisions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from otokura.access.lifecycle.service import Obstacle, Standing, kept_until, wait_of
from otokura.access.lifecycle.views import CallSelection, RetentionRules
from otokura.shared.events import ErasedKind

NOW = datetime(2026, 11, 30, tzinfo=UTC)
OLD = NOW - timedelta(days=100)
NONE = RetentionRules()


def rules(**kinds: dict[str, int | None]) -> RetentionRules:
    return RetentionRules.model_validate(kinds)


def test_a_settled_call_that_nobody_holds_waits_for_nothing() -> None:
    assert wait_of(Standing(settled=True, started_at=OLD, held=False), NONE, ErasedKind.CALL, NOW) is None


@pytest.mark.guarantee("Z1")
@pytest.mark.parametrize("kind", ErasedKind)
@pytest.mark.parametrize("settled", [True, False])
def test_a_held_call_waits_whatever_else_there_is(kind: ErasedKind, settled: bool) -> None:
    wait = wait_of(Standing(settled=settled, started_at=OLD, held=True), NONE, kind, NOW)
    assert wait is not None
    assert wait.obstacle is Obstacle.HELD
    assert wait.until > NOW


def test_a_hold_that_ends_soon_is_looked_at_then() -> None:
    ends = NOW + timedelta(minutes=5)
    held = Standing(settled=True, started_at=OLD, held=True, held_until=ends)
    wait = wait_of(held, NONE, ErasedKind.CALL, NOW)
    assert wait is not None
    assert wait.until == ends


def test_a_live_call_waits_for_its_end() -> None:
    wait = wait_of(Standing(settled=False, started_at=OLD, held=False), NONE, ErasedKind.CALL, NOW)
    assert wait is not None
    assert wait.obstacle is Obstacle.LIVE


@pytest.mark.parametrize(
    ("kind", "days"), [(ErasedKind.CALL, 200), (ErasedKind.RECORDING, 200), (ErasedKind.TRANSCRIPT, 10)]
)
def test_a_minimum_holds_its_kind_and_the_whole_call(kind: ErasedKind, days: int) -> None:
    kept = rules(recording={"min_days": 200}, transcript={"min_days": 10})
    assert kept_until(kept, kind, OLD) == OLD + timedelta(days=days)
    wait = wait_of(Standing(settled=True, started_at=OLD, held=False), kept, kind, NOW)
    assert (wait is not None and wait.obstacle) == (Obstacle.MINIMUM if days > 100 else False)


@pytest.mark.parametrize(
    "wrong",
    [
        {"recording": {"min_days": 30, "max_days": 20}},
        {"recording": {"max_days": 200}, "call": {"max_days": 100}},
        {"transcript": {"min_days": 200}, "call": {"max_days": 100}},
        {"call": {"max_days": 0}},
        {"audio": {"max_days": 10}},
    ],
)
def test_rules_that_contradict_themselves_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RetentionRules.model_validate(wrong)


def test_a_selection_says_one_thing() -> None:
    with pytest.raises(ValidationError):
        CallSelection()
    with pytest.raises(ValidationError):
        CallSelection.model_validate(
            {"call_ids": ["019e0000-0000-7000-8000-000000000000"], "customer": {"numbers": ["+8131"]}}
        )
