"""`otokura transcribe`: what it asks of access, and what it says of the answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from otokura.cli.__main__ import app
from otokura.cli.api.http import Api
from otokura.cli.transcriptions import command
from otokura.cli.transcriptions.command import describe

RUN = CliRunner()
COUNTS = {"queued": 3, "running": 1, "done": 5, "failed": 0}


@pytest.mark.guarantee("T71")
@pytest.mark.parametrize(
    ("progress", "said"),
    [
        (None, "The transcription service has not taken it yet."),
        ({**COUNTS, "model_available": True}, "3 queued, 1 running, 5 done, 0 failed."),
        (
            {**COUNTS, "model_available": False},
            "3 queued, 1 running, 5 done, 0 failed. No worker has the model large: they wait for one.",
        ),
        (
            {**COUNTS, "queued": 0, "model_available": False},
            "0 queued, 1 running, 5 done, 0 failed.",
        ),
    ],
)
def test_progress_is_told_in_words(progress: dict[str, Any] | None, said: str) -> None:
    assert describe({"model": "large", "progress": progress}) == said


def test_a_time_without_a_zone_is_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answering(monkeypatch, {"calls": 2})
    result = RUN.invoke(app, ["transcribe", "again", "--since", "2026-04-01", "--dry-run"])
    assert (result.exit_code, result.stdout) == (0, "2 calls would be transcribed again.\n")
    assert asked == [("/v1/transcriptions/preview", {"since": "2026-04-01T00:00:00+00:00"})]


def test_a_time_that_is_none_is_refused(tmp_path: Path) -> None:
    result = RUN.invoke(app, ["transcribe", "again", "--since", "yesterday", "--data", str(tmp_path)])
    assert result.exit_code == 2
    assert "is no date or time" in result.stderr


def test_what_is_asked_for_is_said_with_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answering(monkeypatch, {"id": "018f", "matching": 12})
    arguments = ["--model", "large", "--since", "2026-04-01T09:00+09:00", "--reason", "Names"]
    result = RUN.invoke(app, ["transcribe", "again", *arguments])
    assert result.exit_code == 0, result.stderr
    assert "12 calls are to be transcribed again: request 018f." in result.stdout
    body = {"model": "large", "since": "2026-04-01T09:00:00+09:00", "reason": "Names"}
    assert asked == [("/v1/transcriptions", body)]


def test_requests_are_listed_with_what_became_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    request = {
        "id": "018f",
        "requested_at": "2026-04-01T09:00:00Z",
        "matching": 12,
        "reason": "Names",
        "model": None,
        "progress": {**COUNTS, "model_available": True},
    }
    asked = answering(monkeypatch, {"items": [request]})
    result = RUN.invoke(app, ["transcribe", "list", "--limit", "3"])
    said = "018f  2026-04-01T09:00  12 calls  Names: 3 queued, 1 running, 5 done, 0 failed.\n"
    assert (result.exit_code, result.stdout) == (0, said)
    assert asked == [("/v1/transcriptions", None)]
    result = RUN.invoke(app, ["transcribe", "list", "--json"])
    assert json.loads(result.stdout) == request


def answering(monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any]) -> list[tuple[str, Any]]:
    """Access that gives one answer to everything; returns what it is asked."""
    asked: list[tuple[str, Any]] = []

    def respond(request: httpx.Request) -> httpx.Response:
        asked.append((request.url.path, json.loads(request.content or b"null")))
        return httpx.Response(200, json=answer)

    def access(*_: object) -> Api:
        api = Api("http://access.test")
        api._client = httpx.Client(base_url=api.url, transport=httpx.MockTransport(respond))
        return api

    monkeypatch.setattr(command, "access_as", access)
    return asked
