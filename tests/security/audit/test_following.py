"""`otokura verify follow`: who follows a log is told of a fork, keeps both halves, and forgets nothing."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from audit_logs import FolderLog, Scribe
from cosigning import hand
from lying_server import LyingServer, answer, lying_server
from otokura.audit.leaves import prepare
from otokura.cli.__main__ import app
from otokura.cli.verify import Witnesses, follow_command, open_checkpoint, parse_vkey, verify_log
from otokura.cli.verify.following import Kept

pytestmark = pytest.mark.guarantee("L26")

RUN = CliRunner()
SCRIBE = Scribe()
LEAVES = [prepare(SCRIBE.entry()).leaf for _ in range(600)]
LOG = FolderLog(Path("nowhere"), LEAVES)


def log_of(folder: Path, leaves: list[bytes]) -> FolderLog:
    return FolderLog(folder, leaves, LOG.key).write()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state" / "kept.json"


@pytest.fixture(autouse=True)
def folder_of_the_state(state: Path) -> None:
    state.parent.mkdir()


def follow(location: str | Path, state: Path, *more: str) -> tuple[int, dict[str, Any]]:
    command = ["verify", "follow", str(location), "--state", str(state), "--key", LOG.vkey, "--json", *more]
    result = RUN.invoke(app, command)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, json.loads(result.stdout) if result.stdout else {"said": result.output}


def test_a_log_that_grows_is_followed(tmp_path: Path, state: Path) -> None:
    for size, continues in ((1, 0), (255, 1), (256, 1), (256, 1), (257, 1), (600, 1)):
        log_of(tmp_path / "log", LEAVES[:size])
        code, told = follow(tmp_path / "log", state)
        assert (code, told["size"], told["continues"]) == (0, size, continues)
        assert open_checkpoint(Kept.read(state).note, parse_vkey(LOG.vkey)).size == size
    assert [path.name for path in state.parent.iterdir()] == ["kept.json"]


FORKED = [*LEAVES[:50], *LEAVES[51:]]


@pytest.mark.parametrize(
    ("leaves", "code"),
    [
        (FORKED, "forked"),
        (FORKED[:300], "forked"),
        ([LEAVES[1], LEAVES[0], *LEAVES[2:]], "forked"),
        (LEAVES[:299], "rolled-back"),
        ([], "rolled-back"),
    ],
    ids=["forked", "of the same size", "reordered", "smaller", "empty"],
)
def test_a_log_that_contradicts_itself(tmp_path: Path, state: Path, leaves: list[bytes], code: str) -> None:
    log_of(tmp_path / "log", LEAVES[:300])
    assert follow(tmp_path / "log", state)[0] == 0
    kept = state.read_text()
    log_of(tmp_path / "fork", leaves)
    assert verify_log(tmp_path / "fork", LOG.vkey).ok, "by itself it verifies: it is signed with the real key"
    exit_code, told = follow(tmp_path / "fork", state)
    assert (exit_code, told["code"]) == (1, code)
    evidence = Path(told["evidence"]).read_text()
    assert LOG.note(300) in evidence
    assert (tmp_path / "fork" / "checkpoint").read_text() in evidence
    assert state.read_text() == kept, "what was seen stays kept"
    assert follow(tmp_path / "fork", state)[0] == 1, "and it is told again"


def test_what_came_another_way_must_agree(tmp_path: Path, state: Path) -> None:
    """A bucket under lock, another follower: an operator who shows each of them another log is found."""
    log_of(tmp_path / "log", LEAVES)
    other = tmp_path / "other"
    other.write_text(LOG.note(123))
    assert follow(tmp_path / "log", state, "--other", str(other))[1]["continues"] == 1
    other.write_text(FolderLog(Path("nowhere"), FORKED, LOG.key).note(123))
    code, told = follow(tmp_path / "log", state, "--other", str(other))
    assert (code, told["code"]) == (1, "forked")


def test_tiles_that_are_not_those_of_the_checkpoint(tmp_path: Path, state: Path) -> None:
    log = log_of(tmp_path / "log", LEAVES)
    log.put("tile/0/002.p/88", bytes(88 * 32))
    assert follow(log.root, state)[1]["code"] == "root-mismatch"
    log_of(log.root, LEAVES)
    assert follow(log.root, state)[0] == 0
    log.put("checkpoint", LOG.signer.sign(600, bytes(32)).encode())
    assert follow(log.root, state)[1]["code"] == "forked"


def test_witnesses_are_asked_for(tmp_path: Path, state: Path) -> None:
    log = log_of(tmp_path / "log", LEAVES)
    witness = hand("w.example/1")
    asked = ["--witness", witness.vkey]
    assert follow(log.root, state, *asked)[1]["code"] == "not-witnessed"
    at = int(time.time())
    log.put("cosigned", (LOG.note(500) + witness.line(LOG.note(500), at)).encode())
    code, told = follow(log.root, state, *asked)
    assert (code, told["cosigned"]) == (0, [{"size": 500, "name": "w.example/1", "at": at}])
    fork = FolderLog(Path("nowhere"), FORKED, LOG.key).note(500)
    log.put("cosigned", (fork + witness.line(fork, at)).encode())
    assert follow(log.root, state, *asked)[1]["code"] == "forked", "the witness saw another log than we do"


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"checkpoint": 1, "offsets": {}}', '{"checkpoint": ""}']
)
def test_what_a_follower_cannot_read_it_does_not_take_for_nothing(
    tmp_path: Path, state: Path, content: str
) -> None:
    log_of(tmp_path / "log", LEAVES)
    state.write_text(content)
    assert follow(tmp_path / "log", state)[0] == 2
    assert state.read_text() == content


def test_a_checkpoint_kept_of_another_key_is_no_reason_to_begin_anew(tmp_path: Path, state: Path) -> None:
    log_of(tmp_path / "log", LEAVES)
    stranger = FolderLog(Path("nowhere"), LEAVES)
    Kept(stranger.note()).write(state)
    assert follow(tmp_path / "log", state)[1]["code"] == "wrong-key"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LyingServer]:
    log_of(tmp_path / "log", LEAVES)
    with lying_server(tmp_path / "log") as found:
        yield found


def test_it_follows_over_http_and_reads_a_handful_of_files(server: LyingServer, state: Path) -> None:
    assert follow(server.url, state)[0] == 0
    server.asked.clear()
    assert follow(server.url, state)[0] == 0
    assert server.asked == ["checkpoint"]


def test_it_waits_for_a_log_that_is_away_and_ends_when_it_has_forked(
    server: LyingServer, state: Path, tmp_path: Path
) -> None:
    Kept(LOG.note(300)).write(state)
    server.lies["checkpoint"] = answer(503)
    command = [sys.executable, "-m", "otokura.cli", "verify", "follow", server.url, "--state", str(state)]
    more = ["--key", LOG.vkey, "--every", "0.05", "--json"]
    with subprocess.Popen([*command, *more], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["code"] == "unreadable"
        del server.lies["checkpoint"]
        told = [json.loads(process.stdout.readline())]
        while not told[-1]["ok"]:
            told.append(json.loads(process.stdout.readline()))
        assert told[-1]["size"] == 600
        fork = log_of(tmp_path / "fork", FORKED)
        for path in fork.root.rglob("*"):
            if path.is_file():
                server.lies[str(path.relative_to(fork.root))] = answer(200, path.read_bytes())
        last = [json.loads(line) for line in process.stdout][-1]
    assert (process.returncode, last["ok"]) == (1, False)
    assert open_checkpoint(Kept.read(state).note, parse_vkey(LOG.vkey)).size == 600


def growing(server: LyingServer, path: str, data: bytes, newest: bytes) -> None:
    """The log grows between the request for `checkpoint` and the one for `path`."""

    def grow(handler: BaseHTTPRequestHandler) -> None:
        server.lies["checkpoint"] = answer(200, newest)
        answer(200, data)(handler)

    server.lies["checkpoint"] = answer(200, LOG.note(300).encode())
    server.lies[path] = grow


def test_a_log_that_grows_while_it_is_looked_at_contradicts_nothing(server: LyingServer, state: Path) -> None:
    """The cosigned checkpoint, asked for second, may be newer than the newest one was a moment before."""
    witness = hand("w.example/1")
    cosigned = LOG.note(500) + witness.line(LOG.note(500), int(time.time()))
    growing(server, "cosigned", cosigned.encode(), LOG.note(600).encode())
    code, told = follow(server.url, state, "--witness", witness.vkey)
    assert (code, told.get("size"), told.get("continues")) == (0, 600, 1), told
    growing(server, "cosigned", cosigned.encode(), LOG.note(600).encode())
    report = verify_log(server.url, LOG.vkey, witnesses=Witnesses.parse([witness.vkey]))
    assert (report.findings, report.size) == ([], 600)


def test_a_log_that_stays_smaller_than_what_was_cosigned_is_rolled_back(
    server: LyingServer, state: Path
) -> None:
    witness = hand("w.example/1")
    cosigned = LOG.note(500) + witness.line(LOG.note(500), int(time.time()))
    growing(server, "cosigned", cosigned.encode(), LOG.note(499).encode())
    assert follow(server.url, state, "--witness", witness.vkey)[1]["code"] == "rolled-back"


def test_a_state_that_cannot_be_written_is_no_contradiction(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_of(tmp_path / "log", LEAVES)
    assert follow(tmp_path / "log", tmp_path / "nowhere" / "kept.json")[0] == 2
    assert follow(tmp_path / "log", state)[0] == 0

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    kept = state.read_text()
    monkeypatch.setattr(os, "fsync", full)
    assert follow(tmp_path / "log", state)[0] == 2
    assert ([path.name for path in state.parent.iterdir()], state.read_text()) == (["kept.json"], kept)


def test_a_contradiction_that_cannot_be_kept_is_printed(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_of(tmp_path / "log", FORKED)
    Kept(LOG.note(300)).write(state)

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    code, told = follow(tmp_path / "log", state)
    assert (code, told["code"]) == (1, "forked")
    assert LOG.note(300) in told["notes"]


def test_a_checkpoint_that_is_not_there_for_a_moment_is_waited_for(
    server: LyingServer, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy whose server is being restarted answers 404."""
    server.lies["checkpoint"] = answer(404)
    assert follow(server.url, state)[1]["code"] == "missing"

    def restarted(_: float) -> None:
        monkeypatch.setattr(time, "sleep", stopped)
        del server.lies["checkpoint"]

    def stopped(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", restarted)
    command = ["verify", "follow", server.url, "--state", str(state), "--key", LOG.vkey, "--every", "1"]
    output = RUN.invoke(app, command).stdout
    assert ("WRONG     missing" in output, "600 entries" in output) == (True, True), output


def test_what_kafka_told_of_another_year_is_of_another_log(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_of(tmp_path / "log", LEAVES)
    last = FolderLog(Path("nowhere"), LEAVES[:9], LOG.key, origin="example.jp/log/2025")
    told = [last.note(), LOG.note(300)]
    monkeypatch.setattr(follow_command, "checkpoints_since", lambda *_: (told, {"0": 2}))
    code, said = follow(tmp_path / "log", state, "--key", last.vkey, "--kafka", "nowhere:9092")
    assert (code, said.get("continues")) == (0, 1), said
    told.append(FolderLog(Path("nowhere"), FORKED, LOG.key).note(300))
    code, said = follow(tmp_path / "log", state, "--key", last.vkey, "--kafka", "nowhere:9092")
    assert (code, said["code"]) == (1, "forked")
