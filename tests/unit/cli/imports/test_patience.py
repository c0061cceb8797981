"""What an import waits for, and what it takes for an answer."""

from __future__ import annotations

import threading

import httpx
import pytest

from otokura.cli.api.http import ApiError
from otokura.cli.imports import patience as module
from otokura.cli.imports.patience import Patience, StoppedError

GONE = httpx.ConnectError("refused")


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSES", (0.0, 0.0, 0.0))


@pytest.mark.parametrize(
    "error",
    [
        GONE,
        ApiError(500, "Internal", ""),
        ApiError(503, "Unavailable", ""),
        ApiError(408, "Stalled", ""),
        ApiError(423, "Locked", ""),
        ApiError(460, "Checksum mismatch", ""),
        ApiError(409, "Conflict", "", code="wrong-offset"),
        ApiError(409, "Conflict", "", code="upload-taken-over"),
    ],
)
def test_what_passes_is_waited_for_until_patience_ends(error: ApiError | httpx.TransportError) -> None:
    """Progress gives it back."""
    patience = Patience(threading.Event())
    for _ in range(2):
        for _ in range(3):
            patience.bear(error)
        with pytest.raises(type(error)):
            patience.bear(error)
        patience.progressed()


@pytest.mark.parametrize(
    "error",
    [
        ApiError(400, "Bad request", ""),
        ApiError(401, "Unauthenticated", ""),
        ApiError(404, "Not found", ""),
        ApiError(409, "Conflict", "", code="call-closed"),
        ApiError(413, "Too large", ""),
        ApiError(415, "Unsupported media", ""),
    ],
)
def test_what_does_not_pass_is_the_answer(error: ApiError) -> None:
    with pytest.raises(ApiError):
        Patience(threading.Event()).bear(error)


def test_a_status_may_pass_where_it_is_known_to() -> None:
    Patience(threading.Event()).bear(ApiError(404, "Not found", ""), also=frozenset({404}))


def test_a_limit_is_waited_for_as_long_as_it_says_and_as_often() -> None:
    """It is no failure, however often it comes."""
    patience, error = Patience(threading.Event()), ApiError(429, "Limit", "", retry_after=0.0)
    for _ in range(20):
        patience.bear(error)


def test_who_is_asked_to_stop_does_not_wait_to_the_end() -> None:
    stop = threading.Event()
    patience = Patience(stop)
    threading.Timer(0.05, stop.set).start()
    with pytest.raises(StoppedError):
        patience.bear(ApiError(429, "Limit", "", retry_after=3600.0))
    with pytest.raises(StoppedError):
        patience.check()
