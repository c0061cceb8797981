"""Where broken glass stands, and who may approve it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from otokura.access.break_glass.models import BreakGlass
from otokura.access.break_glass.service import (
    APPROVABLE,
    GlassState,
    check_approval,
    check_person,
    state_of,
)
from otokura.access.break_glass.views import GlassBody
from otokura.access.errors import OwnApproval
from otokura.shared.errors import Conflict, Forbidden

NOW = datetime(2026, 5, 1, 9, tzinfo=UTC)
ASKER, OFFICER = UUID(int=1), UUID(int=2)
MINUTE = timedelta(minutes=1)


def glass(**about: Any) -> BreakGlass:
    values: dict[str, Any] = {
        "id": UUID(int=9),
        "tenant_id": UUID(int=8),
        "asked_by": ASKER,
        "reason": "a threat",
        "minutes": 30,
        "asked_at": NOW,
        "lapses_at": NOW + APPROVABLE,
    }
    return BreakGlass(**{**values, **about})


BROKEN = {"approved_by": OFFICER, "approved_at": NOW, "until": NOW + 30 * MINUTE}


@pytest.mark.guarantee("R25")
@pytest.mark.parametrize(
    ("about", "minutes", "state"),
    [
        ({}, 0, GlassState.ASKED),
        ({}, 14, GlassState.ASKED),
        ({}, 15, GlassState.LAPSED),
        ({"ended_at": NOW}, 0, GlassState.ENDED),
        (BROKEN, 29, GlassState.BROKEN),
        (BROKEN, 30, GlassState.OVER),
        ({**BROKEN, "ended_at": NOW + MINUTE}, 2, GlassState.ENDED),
    ],
)
def test_where_it_stands(about: dict[str, Any], minutes: int, state: GlassState) -> None:
    at = NOW + minutes * MINUTE
    assert state_of(glass(**about), at) is state
    if state is GlassState.ASKED:
        check_approval(glass(**about), OFFICER, at)
        return
    with pytest.raises(Conflict, match=state.value):
        check_approval(glass(**about), OFFICER, at)


@pytest.mark.guarantee("R25")
def test_nobody_approves_their_own_and_no_program_is_a_person() -> None:
    with pytest.raises(OwnApproval):
        check_approval(glass(), ASKER, NOW)
    check_person("person")
    with pytest.raises(Forbidden):
        check_person("client")


@pytest.mark.parametrize(
    "body", [{}, {"reason": ""}, {"reason": "x", "minutes": 0}, {"reason": "x", "for": 1}]
)
def test_it_takes_a_reason_and_minutes(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        GlassBody.model_validate(body)
