"""Whatever a server answers, `otokura verify` ends with the right finding and exit code 1, and soon."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from audit_logs import FolderLog, Scribe
from lying_server import Lie, LyingServer, answer, lying_server
from otokura.audit.leaves import prepare
from otokura.audit.tiles import encode_bundle
from otokura.cli.__main__ import app
from otokura.cli.verify import Code, places

pytestmark = pytest.mark.guarantee("L12")

RUN = CliRunner()
SIZE = 300
ENOUGH = 1 << 26


@pytest.fixture(scope="module")
def leaves() -> list[bytes]:
    scribe = Scribe()
    return [prepare(scribe.entry()).leaf for _ in range(SIZE)]


@pytest.fixture
def log(tmp_path: Path, leaves: list[bytes]) -> FolderLog:
    return FolderLog(tmp_path / "log", leaves).write()


@pytest.fixture
def server(log: FolderLog) -> Iterator[LyingServer]:
    with lying_server(log.root) as found:
        yield found


def verify(server: LyingServer, log: FolderLog, *more: str) -> tuple[int, set[str]]:
    """The exit code, and what was found."""
    result = RUN.invoke(app, ["verify", server.url, "--key", log.vkey, "--json", *more])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, {each["code"] for each in json.loads(result.stdout)["findings"]}


def another(log: FolderLog, entries: list[bytes], key: Ed25519PrivateKey | None = None) -> FolderLog:
    """Another log of that name, in a folder of its own."""
    return FolderLog(log.root.parent / f"other{len(entries)}", entries, key or log.key).write()


def forked(log: FolderLog) -> FolderLog:
    return another(log, [*log.entries[:50], *log.entries[51:]])


def test_the_honest_server_is_believed(server: LyingServer, log: FolderLog) -> None:
    assert verify(server, log) == (0, set())


def serve_all_of(server: LyingServer, other: FolderLog) -> None:
    for path in other.root.rglob("*"):
        if path.is_file():
            server.lies[str(path.relative_to(other.root))] = answer(200, path.read_bytes())


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (forked, Code.HISTORY_REWRITTEN),
        (
            lambda log: another(log, [log.entries[1], log.entries[0], *log.entries[2:]]),
            Code.HISTORY_REWRITTEN,
        ),
        (lambda log: another(log, log.entries[:120]), Code.ROLLED_BACK),
        (lambda log: another(log, log.entries, Ed25519PrivateKey.generate()), Code.WRONG_KEY),
    ],
    ids=["forked", "reordered", "smaller", "another key"],
)
def test_another_log_than_the_one_seen_before(
    server: LyingServer, log: FolderLog, make: Callable[[FolderLog], FolderLog], code: Code
) -> None:
    """All but the last are signed with the real key, and verify by themselves."""
    kept = log.root.parent / "kept"
    kept.write_text(log.note(200))
    serve_all_of(server, make(log))
    assert verify(server, log, "--pin", str(kept)) == (1, {code})


def test_an_old_checkpoint(server: LyingServer, log: FolderLog) -> None:
    kept = log.root.parent / "kept"
    assert verify(server, log, "--save", str(kept)) == (0, set())
    older = another(log, log.entries[:256])
    server.lies["checkpoint"] = answer(200, older.note().encode())
    server.lies["tile/1/000.p/1"] = answer(200, (older.root / "tile/1/000.p/1").read_bytes())
    assert verify(server, log) == (0, set()), "by itself nothing is wrong"
    assert verify(server, log, "--pin", str(kept)) == (1, {Code.ROLLED_BACK})


def test_checkpoints_of_a_key_that_was_replaced_still_count(server: LyingServer, log: FolderLog) -> None:
    newer = FolderLog(log.root, log.entries, Ed25519PrivateKey.generate())
    kept = log.root.parent / "kept"
    kept.write_text(log.note(200))
    server.lies["checkpoint"] = answer(200, newer.note().encode())
    assert verify(server, log, "--key", newer.vkey, "--pin", str(kept)) == (0, set())
    assert verify(server, newer, "--pin", str(kept)) == (1, {Code.WRONG_KEY})


def for_ever(handler: BaseHTTPRequestHandler) -> None:
    """More than anybody should read; who reads it all is told so by the test's own limit."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(ENOUGH))
    handler.end_headers()
    for _ in range(ENOUGH >> 16):
        handler.wfile.write(bytes(1 << 16))
    raise AssertionError("everything was read")


def in_drops(stop: threading.Event) -> Lie:
    """A byte now and then, as long as somebody waits for it."""

    def tell(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        while not stop.wait(0.02):
            handler.wfile.write(b"x")

    return tell


def no_http(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"\x16\x03\x01\x00 hello\r\n\r\n")
    handler.close_connection = True


FILES = ["checkpoint", "tile/0/000", "tile/entries/000", "tile/1/000.p/1", "tile/0/001.p/44"]


@pytest.mark.parametrize("path", FILES)
@pytest.mark.parametrize(
    ("lie", "code"),
    [
        (for_ever, Code.MALFORMED),
        (answer(200, gzip.compress(bytes(1 << 24)), Content_Encoding="gzip"), Code.MALFORMED),
        (answer(200, b"abc", promised=4000), Code.UNREADABLE),
        (answer(200, b"abcdefgh" * 32, promised=7), Code.MALFORMED),
        (answer(200, b""), Code.MALFORMED),
        (answer(204), Code.UNREADABLE),
        (answer(206, bytes(8192)), Code.UNREADABLE),
        (answer(500), Code.UNREADABLE),
        (answer(404), Code.MISSING),
        (answer(410), Code.MISSING),
        (no_http, Code.UNREADABLE),
    ],
    ids=["endless", "bomb", "cut", "short", "empty", "204", "206", "500", "404", "410", "no-http"],
)
def test_an_answer_that_is_no_file_of_a_log(
    server: LyingServer, log: FolderLog, path: str, lie: Lie, code: Code
) -> None:
    server.lies[path] = lie
    code_of_exit, found = verify(server, log)
    assert code_of_exit == 1
    assert found == {code}


@pytest.mark.parametrize("path", FILES)
def test_an_answer_that_never_ends(
    server: LyingServer, log: FolderLog, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "_FILE_SECONDS", 0.1)
    stop = threading.Event()
    server.lies[path] = in_drops(stop)
    try:
        assert verify(server, log) == (1, {Code.UNREADABLE})
    finally:
        stop.set()


@pytest.mark.parametrize("path", FILES)
def test_a_redirect_is_not_followed(server: LyingServer, log: FolderLog, path: str) -> None:
    server.lies[path] = answer(302, Location=f"{server.url}/elsewhere")
    server.lies["elsewhere"] = answer(200, (log.root / path).read_bytes())
    assert verify(server, log) == (1, {Code.UNREADABLE})
    assert "elsewhere" not in server.asked


def test_a_partial_tile_in_the_place_of_a_full_one(server: LyingServer, log: FolderLog) -> None:
    server.lies["tile/0/000"] = answer(200, (log.root / "tile/0/000").read_bytes()[: 100 * 32])
    assert verify(server, log) == (1, {Code.MALFORMED})
    server.lies["tile/0/000"] = answer(200, (log.root / "tile/0/000").read_bytes())
    server.lies["tile/entries/000"] = answer(200, encode_bundle(log.entries[:100]))
    assert verify(server, log) == (1, {Code.MALFORMED})


def test_a_bundle_of_nothing_but_empty_entries(server: LyingServer, log: FolderLog) -> None:
    """Sixteen megabytes of lengths would be eight million entries."""
    server.lies["tile/entries/000"] = answer(200, bytes(1 << 24))
    assert verify(server, log) == (1, {Code.MALFORMED})


def test_what_two_readers_are_shown_differs(server: LyingServer, log: FolderLog, tmp_path: Path) -> None:
    """Each log verifies by itself; a checkpoint that the two exchange does not."""
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    assert verify(server, log, "--save", str(mine)) == (0, set())
    serve_all_of(server, forked(log))
    assert verify(server, log, "--save", str(theirs)) == (0, set())
    assert verify(server, log, "--pin", str(mine)) == (1, {Code.ROLLED_BACK})
