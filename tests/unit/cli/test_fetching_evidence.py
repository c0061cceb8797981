"""`otokura evidence`: a file that is whole, for its owner alone, or none."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self, cast

import httpx
import pytest
from typer.testing import CliRunner

from otokura.cli import evidence
from otokura.cli.__main__ import app
from otokura.cli.api.http import Api, ApiError

CALL = "01a22e20-e0cc-75f9-825a-d598c849d6be"


class Broken(httpx.SyncByteStream):
    """A body that breaks off."""

    def __iter__(self) -> Iterator[bytes]:
        yield b"PK"
        raise httpx.ReadError("gone")


class FakeApi:
    """Access, as it answers in this test; what it was asked."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response]) -> None:
        self._client = httpx.Client(transport=httpx.MockTransport(self._asked), base_url="http://access")
        self._answer = answer
        self.asked: list[httpx.Request] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def _asked(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self._answer(request)

    def stream(self, method: str, path: str, **more: Any) -> AbstractContextManager[httpx.Response]:
        return self._client.stream(method, path, **more)


def fetch(answer: httpx.Response, out: Path) -> FakeApi:
    with FakeApi(lambda _: answer) as api:
        evidence.fetch(cast("Api", api), CALL, "証拠", out)
    return api


def test_the_bundle_is_written_whole_for_its_owner_alone(tmp_path: Path) -> None:
    out = tmp_path / "exhibit.zip"
    [asked] = fetch(httpx.Response(200, content=b"PK bundle"), out).asked
    assert (asked.method, asked.url.path) == ("POST", f"/v1/calls/{CALL}/evidence")
    assert json.loads(asked.content) == {"reason": "証拠"}
    assert out.read_bytes() == b"PK bundle"
    assert out.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [out]


def test_what_breaks_off_or_is_refused_leaves_no_file(tmp_path: Path) -> None:
    out = tmp_path / "exhibit.zip"
    with pytest.raises(httpx.TransportError):
        fetch(httpx.Response(200, stream=Broken()), out)
    problem = {"title": "Not permitted", "detail": "Your role does not permit this."}
    with pytest.raises(ApiError, match="Your role does not permit this"):
        fetch(httpx.Response(403, json=problem), out)
    assert list(tmp_path.iterdir()) == []


def test_no_file_that_is_there_is_written_over(tmp_path: Path) -> None:
    out = tmp_path / "exhibit.zip"
    out.write_bytes(b"mine")
    with (
        FakeApi(lambda _: httpx.Response(200, content=b"PK")) as api,
        pytest.raises(FileExistsError),
    ):
        evidence.fetch(cast("Api", api), CALL, "証拠", out)
    assert api.asked == [], "nothing was made for it"
    assert out.read_bytes() == b"mine"
    assert list(tmp_path.iterdir()) == [out]


def test_the_command_says_how_to_verify_it_and_why_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "exhibit.zip"
    answers = [httpx.Response(200, content=b"PK"), httpx.Response(409, json={"title": "Not ready"})]
    monkeypatch.setattr(evidence, "access_as", lambda *_: FakeApi(lambda _: answers.pop(0)))
    command = ["evidence", CALL, "--reason", "証拠", "--out", str(out)]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "otokura verify evidence" in done.output
    out.unlink()
    refused = CliRunner().invoke(app, command)
    assert refused.exit_code == 1
    assert "409 Not ready" in refused.output
