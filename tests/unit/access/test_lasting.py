"""How long a reading may go on: with its session, or with its token where there is no session."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import core
from otokura.access.identity.lasting import goes_on, session_over
from otokura.shared.ids import uuid7
from otokura.shared.tokens import Principal, new_jti

NOW = datetime(2026, 4, 1, tzinfo=UTC)
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
ENDED = None
PROGRAM = core.principal(good_until=NOW + SECOND, issued_at=NOW - HOUR)
PERSON = replace(PROGRAM, kind="person", jti=new_jti(uuid7()), good_until=NOW - HOUR)
API_KEY = replace(PROGRAM, good_until=None)


def row(session: list[datetime] | None = ENDED, **changes: Any) -> dict[str, Any]:
    """Of somebody who is still trusted."""
    known: dict[str, Any] = {"reader_revoked": False, "reader_tokens_since": None, "read_at": NOW}
    return known | {"reader_session": session} | changes


def lasts(who: Principal, **about: Any) -> bool:
    return goes_on(row(**about), who, 3600)


@pytest.mark.guarantee("R49")
def test_a_session_ends_at_its_last_moment_or_when_nobody_renewed_it() -> None:
    """The same as a refresh is told."""
    assert session_over(NOW + SECOND, NOW - HOUR + SECOND, NOW, HOUR) is None
    assert session_over(NOW, NOW - HOUR + SECOND, NOW, HOUR) == "expired"
    assert session_over(NOW + SECOND, NOW - HOUR, NOW, HOUR) == "idle"


@pytest.mark.guarantee("R49")
@pytest.mark.parametrize(
    ("session", "on"),
    [
        ([NOW + SECOND, NOW], True),
        ([NOW, NOW], False),
        ([NOW + HOUR, NOW - HOUR], False),
        (ENDED, False),
    ],
)
def test_a_reading_in_a_session_lasts_as_long_as_that(session: list[datetime] | None, on: bool) -> None:
    """Its token is long over: others have taken its place."""
    assert lasts(PERSON, session=session) is on


@pytest.mark.guarantee("R49")
def test_a_reading_by_a_token_of_no_session_lasts_as_long_as_the_token() -> None:
    assert lasts(PROGRAM)
    assert not lasts(PROGRAM, read_at=NOW + SECOND)
    assert lasts(API_KEY, read_at=NOW + HOUR), "an API key has no time of its own: it is asked for each time"


@pytest.mark.parametrize("change", [{"reader_revoked": True}, {"reader_tokens_since": NOW}])
@pytest.mark.parametrize("who", [PERSON, PROGRAM, API_KEY])
def test_what_was_taken_back_does_not_go_on_whatever_time_is_left(
    who: Principal, change: dict[str, Any]
) -> None:
    assert not lasts(who, session=[NOW + HOUR, NOW], **change)
