"""`otokura keys`: what it says, and that nothing is destroyed before its time."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from otokura.cli.__main__ import app
from otokura.cli.api.http import ApiError
from otokura.cli.keys import rotation
from otokura.cli.keys.rotation import describe

RUN = CliRunner()
FINISHED = {"remaining": 0, "unreadable": 0, "finished": True}


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "LOOK_SECONDS", 0)


class Keks:
    """Writes down what is done to the keys."""

    def __init__(self, done: list[str]) -> None:
        self._done = done

    def make(self) -> str | None:
        self._done.append("make")
        return "new"

    def destroy(self, kek_ids: Collection[str]) -> None:
        self._done.append(f"destroy {','.join(kek_ids)}")


class Access:
    """Answers as access does, and writes down what it is asked."""

    def __init__(self, done: list[str], **answers: list[Any]) -> None:
        self._done = done
        self._answers = answers

    def json(self, method: str, path: str, **_: Any) -> dict[str, Any]:
        kind = path.rpartition("/")[2] if method == "POST" else "newest" if "?" in path else "one"
        self._done.append(f"{method} {kind}")
        answer = self._answers[kind.replace("key-rotations", "begin")].pop(0)
        if isinstance(answer, Exception):
            raise answer
        found: dict[str, Any] = answer
        return found


def state(name: str, **services: Any) -> dict[str, Any]:
    return {"id": "r", "state": name, "retiring": ["old"], "services": services, "destroyed_at": "then"}


def rotate(access: Access, done: list[str]) -> list[str]:
    said: list[str] = []
    rotation.rotate(access, Keks(done), said.append, 0)  # type: ignore[arg-type] # answers as one
    return said


def test_the_old_key_is_destroyed_after_every_service_has_finished() -> None:
    done: list[str] = []
    access = Access(
        done,
        newest=[{"items": [state("done")]}],
        begin=[
            ApiError(503, "Temporarily unavailable", "not known here yet"),
            state("rewrapping", ingest=None),
        ],
        one=[state("rewrapping", ingest=FINISHED), state("rewrapped", ingest=FINISHED)],
        completion=[ApiError(409, "Conflict", "", code="keys-in-use"), state("done")],
    )
    said = rotate(access, done)
    assert done == [
        "GET newest", "make", "POST key-rotations", "POST key-rotations", "GET one", "GET one",
        "destroy old", "POST completion", "POST completion",
    ]  # fmt: skip
    assert said[0] == "New keys wrap from now on: new."
    assert said[-1].startswith("Destroyed 1 old keys")


@pytest.mark.parametrize("open_state", ["rewrapping", "rewrapped"])
def test_what_is_open_is_gone_on_with_and_no_key_is_made(open_state: str) -> None:
    done: list[str] = []
    access = Access(
        done, newest=[{"items": [state(open_state)]}], one=[state("rewrapped")], completion=[state("done")]
    )
    said = rotate(access, done)
    assert "make" not in done
    assert done[-2:] == ["destroy old", "POST completion"]
    assert said[0] == "Going on with rotation r."


def test_a_refusal_destroys_nothing() -> None:
    done: list[str] = []
    access = Access(done, newest=[{"items": []}], begin=[ApiError(403, "Not permitted", "")])
    with pytest.raises(ApiError):
        rotate(access, done)
    assert done == ["GET newest", "make", "POST key-rotations"]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            state(
                "rewrapping",
                ingest={"remaining": 7, "unreadable": 2, "finished": False},
                transcribe=None,
            ),
            "ingest has 7 keys to go, 2 unreadable (see its log); transcribe has not begun.",
        ),
        (state("rewrapping", access=FINISHED), "access has finished."),
        (state("rewrapped"), "Everything is wrapped anew; the old keys are still to be destroyed."),
        (state("done"), "Done: 1 old keys were destroyed at then."),
    ],
)
def test_how_far_it_is_is_said_in_words(found: dict[str, Any], said: str) -> None:
    assert describe(found) == said


@pytest.mark.parametrize(
    "options", [["--vault", "https://v"], ["--vault-token", "t"], ["--vault", "https://v", "--keyring", "k"]]
)
def test_options_that_do_not_go_together_are_refused(tmp_path: Path, options: list[str]) -> None:
    result = RUN.invoke(app, ["keys", "rotate", *options, "--data", str(tmp_path)])
    assert result.exit_code == 2
    assert "--vault" in result.stderr
