"""When a grant is over, what one use of it is, and which grants cannot be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from otokura.access.grants.models import GrantRecord
from otokura.access.grants.service import Over, listening_ends, over
from otokura.access.grants.views import GrantBody, GrantState, GrantView

NOW = datetime(2026, 5, 1, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
BODY: dict[str, Any] = {
    "reader_id": UUID(int=1),
    "call_id": UUID(int=2),
    "what": ["listen"],
    "purpose": "quality",
    "reason": "case 7",
}


def grant(**about: Any) -> GrantRecord:
    values: dict[str, Any] = {
        "id": UUID(int=9),
        "tenant_id": UUID(int=8),
        "reader_id": UUID(int=1),
        "given_by": UUID(int=3),
        "call_id": UUID(int=2),
        "what": ["listen"],
        "purpose": "quality",
        "reason": "case 7",
        "zones": [],
        "listenings": 1,
        "used": 0,
        "made_at": NOW,
        "expires_at": NOW + 8 * HOUR,
    }
    return GrantRecord(**{**values, **about})


@pytest.mark.guarantee("R23")
def test_a_grant_ends_when_it_expires_is_revoked_or_its_giver_goes() -> None:
    assert over(grant(), NOW + 8 * HOUR - timedelta(microseconds=1)) is None
    assert over(grant(), NOW + 8 * HOUR) is Over.EXPIRED
    assert over(grant(revoked_at=NOW), NOW) is Over.REVOKED
    assert over(grant(), NOW, giver_disabled=True) is Over.GIVER
    assert over(grant(used=1), NOW) is None, "a listening that has begun goes on"


@pytest.mark.guarantee("R21")
@pytest.mark.parametrize(
    ("about", "recording_ms", "minutes"),
    [
        ({}, 60_000, 15),
        ({}, 0, 15),
        ({}, 40 * 60_000, 80),
        ({"start_ms": 0, "end_ms": 60_000}, 40 * 60_000, 15),
        ({"start_ms": 0, "end_ms": 20 * 60_000}, 40 * 60_000, 40),
        ({"start_ms": 0, "end_ms": 60 * 60_000}, 10 * 60_000, 20),
        ({"expires_at": NOW + timedelta(minutes=5)}, 40 * 60_000, 5),
    ],
)
def test_a_listening_lasts_as_long_as_what_is_given_can_be_heard_twice(
    about: dict[str, Any], recording_ms: int, minutes: int
) -> None:
    assert listening_ends(grant(**about), NOW, recording_ms) == NOW + timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("about", "at", "state"),
    [
        ({}, NOW, GrantState.OPEN),
        ({"used": 1}, NOW, GrantState.SPENT),
        ({"used": 1}, NOW + 9 * HOUR, GrantState.EXPIRED),
        ({"used": 1, "revoked_at": NOW}, NOW + 9 * HOUR, GrantState.REVOKED),
    ],
)
def test_a_view_says_whether_a_grant_is_good(about: dict[str, Any], at: datetime, state: GrantState) -> None:
    assert GrantView.of(grant(**about), at).state is state


def test_a_grant_is_for_one_listening_within_an_hour_unless_it_says_more() -> None:
    body = GrantBody.model_validate(BODY)
    assert (body.listenings, body.minutes, body.zones, body.start_ms) == (1, 60, [], None)


@pytest.mark.parametrize(
    "about",
    [
        {"what": []},
        {"what": ["view"]},
        {"what": ["search"]},
        {"purpose": "Quality"},
        {"reason": ""},
        {"zones": ["Office"]},
        {"start_ms": 0},
        {"end_ms": 1000},
        {"start_ms": 1000, "end_ms": 1000},
        {"start_ms": 2000, "end_ms": 1000},
        {"start_ms": -1, "end_ms": 1000},
        {"what": ["listen", "read-transcript"], "start_ms": 0, "end_ms": 1000},
        {"what": ["read-redacted"], "start_ms": 0, "end_ms": 1000},
        {"listenings": 0},
        {"listenings": 101},
        {"minutes": 0},
        {"minutes": 43_201},
        {"address": "203.0.113.7"},
    ],
)
def test_grants_that_cannot_be_are_refused(about: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        GrantBody.model_validate({**BODY, **about})
