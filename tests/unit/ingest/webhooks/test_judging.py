"""What an answer means for its delivery, and what the settings may be."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from core import ENVIRONMENT
from otokura.ingest.settings import Settings
from otokura.ingest.webhooks.models import DeliveryState
from otokura.ingest.webhooks.sending import Answer, SendError
from otokura.ingest.webhooks.service import JITTER, Verdict, judge
from otokura.ingest.webhooks.settings import RETRY_SECONDS

spread = st.floats(-1, 1)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_success(status: int) -> None:
    assert judge(Answer(status), 3, RETRY_SECONDS, 0.0) == Verdict(DeliveryState.DELIVERED)


@pytest.mark.parametrize("status", [100, 300, 301, 302, 307, 400, 401, 404, 410, 429, 500, 502, 503, 599])
def test_any_other_status_is_failure(status: int) -> None:
    assert judge(Answer(status), 0, RETRY_SECONDS, 0.0) == Verdict(
        DeliveryState.PENDING, timedelta(seconds=RETRY_SECONDS[0])
    )


@pytest.mark.parametrize("error", SendError)
def test_no_answer_is_failure(error: SendError) -> None:
    assert judge(Answer(error=error), 0, RETRY_SECONDS, 0.0).state == DeliveryState.PENDING


def test_the_schedule_grows_and_ends_after_about_three_days() -> None:
    failed = Answer(500)
    pauses = [judge(failed, count, RETRY_SECONDS, 0.0).pause for count in range(len(RETRY_SECONDS))]
    known = [pause for pause in pauses if pause is not None]
    assert len(known) == len(pauses)
    assert all(later >= earlier for earlier, later in pairwise(known))
    assert timedelta(days=2.5) < sum(known, timedelta()) < timedelta(days=3.5)
    assert judge(failed, len(RETRY_SECONDS), RETRY_SECONDS, 0.0) == Verdict(DeliveryState.FAILED)


@given(spread, st.integers(0, len(RETRY_SECONDS) - 1))
def test_pauses_are_spread_within_bounds(jitter: float, failures: int) -> None:
    pause = judge(Answer(500), failures, RETRY_SECONDS, jitter).pause
    assert pause is not None
    middle = RETRY_SECONDS[failures]
    assert (1 - JITTER) * middle - 1e-6 <= pause.total_seconds() <= (1 + JITTER) * middle + 1e-6


def test_an_endpoint_that_asks_for_time_gets_it() -> None:
    asked = judge(Answer(503, retry_after=90.0), 0, RETRY_SECONDS, 0.0)
    assert asked.pause == timedelta(seconds=90)
    assert judge(Answer(503, retry_after=1.0), 3, RETRY_SECONDS, 0.0).pause == timedelta(seconds=600)


def settings(monkeypatch: pytest.MonkeyPatch, **changes: str) -> Settings:
    for name, value in {**ENVIRONMENT, "OTOKURA_KEYRING_FILE": "/etc/otokura/keyring.json"}.items():
        monkeypatch.setenv(name, value)
    for name, value in changes.items():
        monkeypatch.setenv(f"OTOKURA_{name.upper()}", value)
    return Settings.load()


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings(
        monkeypatch,
        webhook_allowed_networks="10.0.0.0/8, ::ffff:192.168.0.0/112",
        webhook_retry_seconds="1,2.5",
    )
    assert [str(network) for network in found.webhook_allowed_networks] == ["10.0.0.0/8", "192.168.0.0/16"]
    assert found.webhook_retry_seconds == (1.0, 2.5)


def test_nothing_private_and_nothing_in_the_clear_unless_somebody_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = settings(monkeypatch)
    assert found.webhook_allowed_networks == ()
    assert not found.plain_http_allowed
    assert found.webhook_retry_seconds == RETRY_SECONDS
    assert settings(monkeypatch, webhook_allow_http="true").plain_http_allowed


@pytest.mark.parametrize("wrong", ["", "0", "-1", "soon", "inf", "nan", "1,,x"])
def test_a_schedule_that_cannot_be_meant_is_refused(wrong: str) -> None:
    values = {name.removeprefix("OTOKURA_").lower(): value for name, value in ENVIRONMENT.items()}
    with pytest.raises(ValidationError):
        Settings(**values, keyring_file="/k", webhook_retry_seconds=wrong)  # type: ignore[arg-type]
