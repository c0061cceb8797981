"""Live text ends with what permitted it, as any reading under way does."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from access_endings import (
    End,
    Reading,
    broken_glass_is_ended,
    grant_expires,
    grant_is_revoked,
    reader_is_paused,
    session_expires,
    session_is_idle,
    token_without_a_session_runs_out,
    zone_ends,
    zone_is_deleted,
)
from access_grants import QUALITY
from access_live import Live, events, live_call, texts
from access_service import Access, Tenant

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]


@pytest.fixture
def live(access: Access, tenant: Tenant) -> Live:
    return live_call(access, tenant)


@pytest.mark.guarantee("T47")
@pytest.mark.guarantee("R23")
@pytest.mark.guarantee("R26")
@pytest.mark.guarantee("R31")
@pytest.mark.guarantee("R49")
@pytest.mark.parametrize(
    "when",
    [
        zone_is_deleted,
        zone_ends,
        grant_is_revoked,
        grant_expires,
        broken_glass_is_ended,
        reader_is_paused,
        session_expires,
        session_is_idle,
        token_without_a_session_runs_out,
    ],
)
def test_live_text_ends_when_its(
    access: Access, tenant: Tenant, live: Live, when: Callable[[Reading], End]
) -> None:
    """The reader is told so, and nothing that is said after."""
    reading = Reading(access, tenant, live, what="read-redacted")
    live.say(1, (0, "もしもし", True))
    # The last before the request: a token may have seconds left.
    end = when(reading)
    with (
        access.client(reading.who.token) as client,
        client.stream("GET", live.path, params=QUALITY | reading.by) as response,
    ):
        assert response.status_code == 200, response.read()
        entry_id = response.headers["Otokura-Entry-Id"]
        stream = events(response.iter_lines())
        assert next(stream)[0] == "partial"
        end()
        time.sleep(0.5)
        live.say(2, (900, "田中", True))
        rest = [(name, data) for name, data, _ in stream]
    assert rest == [("ended", {"reason": "revoked"})]
    assert access.audit.closed(entry_id)["detail"]["outcome"] == "revoked"


@pytest.mark.guarantee("R49")
def test_live_text_goes_on_when_a_token_runs_out_and_its_session_does_not(
    access: Access, tenant: Tenant, live: Live
) -> None:
    """Calls last longer than the tokens of those who follow them."""
    reading = Reading(access, tenant, live)
    reading.by_session()
    live.say(1, (0, "もしもし", True))
    over = reading.by_short_token()
    with (
        access.client(reading.who.token) as client,
        client.stream("GET", live.path, params=QUALITY) as response,
    ):
        assert response.status_code == 200, response.read()
        stream = events(response.iter_lines())
        assert next(stream)[0] == "partial"
        time.sleep(max(0.0, over - time.time()) + 0.5)
        live.say(2, (900, "田中", True))
        assert texts(next(stream)[1]) == [("田中", True)]
