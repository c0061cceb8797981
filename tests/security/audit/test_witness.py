"""A witness of ours: every answer that C2SP tlog-witness knows, forks refused and kept, whatever is sent."""

from __future__ import annotations

import signal
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient
from typer.testing import CliRunner

from audit_logs import FolderLog, Scribe
from cosigning import hand
from otokura.audit.leaves import prepare
from otokura.audit.proofs import Prover
from otokura.audit.witnesses import submission
from otokura.cli.__main__ import app
from otokura.cli.verify import Witnesses, open_checkpoint, parse_vkey
from otokura.cli.witness import book
from otokura.cli.witness.book import Book
from otokura.cli.witness.judging import MAX_BODY_BYTES, SIZE_TYPE, Answer, Witness
from otokura.cli.witness.keys import BOOK_FILE, KEY_FILE, LOGS_FILE, Logs, create, load
from otokura.cli.witness.server import create_app

pytestmark = pytest.mark.guarantee("L25")

RUN = CliRunner()
SCRIBE = Scribe()
LEAVES = [prepare(SCRIBE.entry()).leaf for _ in range(600)]
LOG = FolderLog(Path("nowhere"), LEAVES)
FORK = FolderLog(Path("nowhere"), [*LEAVES[:99], *LEAVES[100:], LEAVES[99]], LOG.key)
NOW = 1_790_000_000


def witness_in(folder: Path) -> Witness:
    """The witness of a folder, as another process would have it."""
    return Witness(load(folder), Book(folder / BOOK_FILE), Logs(folder / LOGS_FILE), lambda: NOW)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    create(tmp_path / "w", "witness.example/w1", post_quantum=False)
    assert RUN.invoke(app, ["witness", "trust", LOG.vkey, "--state", str(tmp_path / "w")]).exit_code == 0
    return tmp_path / "w"


@pytest.fixture
def witness(folder: Path) -> Witness:
    return witness_in(folder)


async def body(log: FolderLog, old: int, size: int) -> bytes:
    """A submission with an honest proof of that log."""
    proof = [] if old == 0 or old >= size else await Prover(log, size).consistency(old)
    return submission(old, proof, log.note(size)).encode()


async def submit(witness: Witness, log: FolderLog, old: int, size: int) -> Answer:
    return witness.add_checkpoint(await body(log, old, size))


@pytest.mark.parametrize("post_quantum", [False, True])
async def test_it_cosigns_a_log_that_grows(tmp_path: Path, post_quantum: bool) -> None:
    key = create(tmp_path, "witness.example/w1", post_quantum=post_quantum)
    (tmp_path / LOGS_FILE).write_text(f"{LOG.vkey}\n")
    witness = witness_in(tmp_path)
    witnesses = Witnesses.parse([str(key.public)])
    for old, size in [(0, 0), (0, 1), (1, 7), (7, 7), (7, 256), (256, 600)]:
        answer = await submit(witness, LOG, old, size)
        assert answer.status == HTTPStatus.OK, answer
        checkpoint = open_checkpoint(LOG.note(size) + answer.body, parse_vkey(LOG.vkey))
        assert [each.at for each in witnesses.require(checkpoint, NOW)] == [NOW]
        assert Book(tmp_path / BOOK_FILE).seen(LOG.signer.origin).size == size


async def test_it_says_what_it_has_seen(witness: Witness) -> None:
    await submit(witness, LOG, 0, 300)
    for old in (0, 299, 400):
        answer = await submit(witness, LOG, old, 500)
        assert (answer.status, answer.body, answer.media_type) == (409, "300\n", SIZE_TYPE)


async def test_it_cosigns_nothing_smaller(witness: Witness, folder: Path) -> None:
    await submit(witness, LOG, 0, 300)
    assert (await submit(witness, LOG, 200, 250)).status == HTTPStatus.CONFLICT
    assert (await submit(witness, LOG, 300, 250)).status == HTTPStatus.BAD_REQUEST
    assert (await submit(witness_in(folder), LOG, 0, 250)).status == HTTPStatus.CONFLICT, (
        "nor after a restart"
    )


async def test_it_cosigns_no_fork_and_keeps_the_evidence(witness: Witness, folder: Path) -> None:
    await submit(witness, LOG, 0, 300)
    same_size = await submit(witness, FORK, 300, 300)
    assert (same_size.status, same_size.body) == (409, "300\n")
    assert (await submit(witness, FORK, 300, 400)).status == HTTPStatus.UNPROCESSABLE_ENTITY
    assert (await submit(witness, LOG, 300, 400)).status == HTTPStatus.OK, "the log that it knows goes on"
    kept = Book(folder / BOOK_FILE).refused()
    assert [(each.origin, each.size, each.status, each.proven) for each in kept] == [
        (LOG.signer.origin, 300, 409, True),
        (LOG.signer.origin, 400, 422, True),  # since 400 was cosigned
    ]
    assert kept[0].body == await body(FORK, 300, 300)
    assert [each.cosigned for each in kept] == [LOG.note(300), LOG.note(400)]
    shown = RUN.invoke(app, ["witness", "show", "--state", str(folder), "--refused"]).output
    for note in (LOG.note(300), FORK.note(300), LOG.note(400), FORK.note(400)):
        assert note in shown


async def test_wrong_proofs_do_not_wash_a_fork_away(
    witness: Witness, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody may post a log's public checkpoints, with proofs of nothing."""
    monkeypatch.setattr(book, "_KEPT", 3)
    await submit(witness, LOG, 0, 300)
    await submit(witness, FORK, 300, 300)
    for size in (300, *range(301, 320), *range(310, 320)):
        assert witness.add_checkpoint(submission(300, [bytes(32)], LOG.note(size)).encode()).status == 422
    kept = Book(folder / BOOK_FILE).refused()
    assert [(each.size, each.proven) for each in kept] == [
        (300, True), (317, False), (318, False), (319, False),
    ]  # fmt: skip
    assert (await submit(witness, LOG, 300, 319)).status == HTTPStatus.OK
    left = [(each.size, each.cosigned) for each in Book(folder / BOOK_FILE).refused()]
    assert left == [(300, LOG.note(300)), (317, LOG.note(300)), (318, LOG.note(300))], "319 was honest"


async def test_more_forks_do_not_wash_the_first_away(
    witness: Witness, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "_KEPT", 3)
    await submit(witness, LOG, 0, 20)
    forks = [FolderLog(Path("nowhere"), LEAVES[at : at + 20], LOG.key) for at in range(20, 120, 20)]
    for fork in (*forks, forks[0]):
        assert (await submit(witness, fork, 20, 20)).status == HTTPStatus.CONFLICT
    kept = Book(folder / BOOK_FILE).refused()
    assert [each.body for each in kept] == [await body(fork, 20, 20) for fork in forks[:3]]


async def test_a_proof_where_none_belongs(witness: Witness) -> None:
    note = LOG.note(300)
    assert witness.add_checkpoint(submission(0, [bytes(32)], note).encode()).status == 422
    await submit(witness, LOG, 0, 300)
    assert witness.add_checkpoint(submission(300, [bytes(32)], note).encode()).status == 422


async def test_whom_it_believes(witness: Witness, folder: Path) -> None:
    stranger = FolderLog(Path("nowhere"), LEAVES, origin="other.example/log")
    impostor = FolderLog(Path("nowhere"), LEAVES, Ed25519PrivateKey.generate())
    assert (await submit(witness, stranger, 0, 5)).status == HTTPStatus.NOT_FOUND
    assert (await submit(witness, impostor, 0, 5)).status == HTTPStatus.FORBIDDEN
    forged = LOG.note(5).replace("\n5\n", "\n6\n")
    assert witness.add_checkpoint(submission(0, [], forged).encode()).status == HTTPStatus.FORBIDDEN
    for key in (stranger.vkey, impostor.vkey, LOG.vkey):
        RUN.invoke(app, ["witness", "trust", key, "--state", str(folder)], catch_exceptions=False)
    assert (await submit(witness, stranger, 0, 5)).status == HTTPStatus.OK, "a log added while it runs"
    assert (await submit(witness, impostor, 0, 5)).status == HTTPStatus.OK, "a second key of a log it knows"
    assert (await submit(witness, LOG, 5, 9)).status == HTTPStatus.OK
    assert len((folder / LOGS_FILE).read_text().splitlines()) == 3


async def test_other_signatures_under_a_checkpoint_do_not_matter(witness: Witness) -> None:
    note = LOG.note(9) + hand("w.example/other").line(LOG.note(9), NOW)
    assert witness.add_checkpoint(submission(0, [], note).encode()).status == HTTPStatus.OK


async def test_of_forks_posted_at_once_one_is_cosigned(folder: Path) -> None:
    """Sixteen processes' worth of witnesses on one memory; each fork has the same old size."""
    forks = [FolderLog(Path("nowhere"), LEAVES[at : at + 20], LOG.key) for at in range(0, 320, 20)]
    bodies = [await body(each, 0, 20 - at % 3) for at, each in enumerate(forks)]
    with ThreadPoolExecutor(len(bodies)) as pool:
        answers = list(pool.map(lambda each: witness_in(folder).add_checkpoint(each), bodies))
    assert [answer.status for answer in answers].count(HTTPStatus.OK) == 1
    assert {answer.status for answer in answers} == {HTTPStatus.OK, HTTPStatus.CONFLICT}


KILLED = """
import os, signal, sys
from pathlib import Path
from otokura.cli.witness.book import Book
from otokura.cli.witness.judging import Witness
from otokura.cli.witness import judging
from otokura.cli.witness.keys import Logs, load
folder, when = Path(sys.argv[1]), sys.argv[2]
die = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
if when == "before it judges": judging._continue = die
witness = Witness(load(folder), Book(folder / "witness.sqlite"), Logs(folder / "logs"), die)
witness.add_checkpoint(sys.stdin.buffer.read())
"""


def killed(folder: Path, when: str, given_body: bytes) -> int:
    """The exit code of a witness that ends itself with SIGKILL at a point."""
    command = [sys.executable, "-c", KILLED, str(folder), when]
    return subprocess.run(command, input=given_body, check=False).returncode


@pytest.mark.parametrize(("when", "size"), [("before it judges", 300), ("before it signs", 400)])
async def test_a_witness_killed_remembers_all_that_it_may_have_signed(
    witness: Witness, folder: Path, when: str, size: int
) -> None:
    await submit(witness, LOG, 0, 300)
    assert killed(folder, when, await body(LOG, 300, 400)) == -signal.SIGKILL
    assert Book(folder / BOOK_FILE).seen(LOG.signer.origin).size == size
    assert (await submit(witness_in(folder), FORK, size, 500)).status == HTTPStatus.UNPROCESSABLE_ENTITY
    assert (await submit(witness_in(folder), LOG, size, 500)).status == HTTPStatus.OK


async def test_whatever_is_sent_it_answers_and_cosigns_nothing_else(witness: Witness, folder: Path) -> None:
    await submit(witness, LOG, 0, 300)
    good = await body(LOG, 300, 400)

    @settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.integers(0, len(good) - 1), st.binary(max_size=8), st.integers(0, 60))
    def check(at: int, put: bytes, cut: int) -> None:
        spoilt = good[:at] + put + good[at + cut :]
        answer = witness.add_checkpoint(spoilt)
        assert answer.status in {200, 400, 403, 404, 409, 422}
        assert answer.status != HTTPStatus.OK or LOG.note(400).encode().partition(b"\n\n")[0] in spoilt

    check()
    for hostile in (
        b"",
        b"old 0",
        b"old 0\n\n",
        b"old 00\n\n" + good,
        b"\xff" * 99,
        b"old 0\n" + b"A\n" * 99,
    ):
        assert witness.add_checkpoint(hostile).status in {400, 404}
    assert (
        await submit(witness, LOG, Book(folder / BOOK_FILE).seen(LOG.signer.origin).size, 500)
    ).status == 200


async def test_over_http(witness: Witness, folder: Path) -> None:
    vkey = str(load(folder).public)
    with TestClient(create_app(witness, vkey)) as client:
        assert client.get("/vkey").text == f"{vkey}\n"
        answer = client.post("/add-checkpoint", content=await body(LOG, 0, 300))
        assert (answer.status_code, answer.text.startswith("\N{EM DASH} witness.example/w1 ")) == (200, True)
        answer = client.post("/add-checkpoint", content=await body(LOG, 0, 400))
        assert (answer.status_code, answer.text) == (409, "300\n")
        assert answer.headers["content-type"] == SIZE_TYPE
        assert client.post("/add-checkpoint", content=bytes(MAX_BODY_BYTES + 1)).status_code == 413
        assert client.get("/add-checkpoint").status_code == 405
        (folder / LOGS_FILE).rename(folder / "gone")
        assert client.post("/add-checkpoint", content=await body(LOG, 300, 400)).status_code == 503


def test_a_memory_that_cannot_be_written_cosigns_nothing(witness: Witness, folder: Path) -> None:
    with sqlite3.connect(folder / BOOK_FILE) as connection:
        connection.execute("DROP TABLE logs")
    with TestClient(create_app(witness, "v")) as client:
        answer = client.post("/add-checkpoint", content=submission(0, [], LOG.note(5)).encode())
    assert answer.status_code == 503


def test_its_key_is_its_own(folder: Path) -> None:
    assert stat.S_IMODE((folder / KEY_FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    again = RUN.invoke(app, ["witness", "init", "witness.example/w2", "--state", str(folder)])
    assert again.exit_code == 1, "a key is never replaced"
    assert str(load(folder).public).startswith("witness.example/w1+")
    (folder / KEY_FILE).chmod(0o640)
    served = RUN.invoke(app, ["witness", "serve", "--state", str(folder)])
    assert (served.exit_code, "others can read" in served.output) == (1, True)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "w" * 256])
def test_a_name_that_is_none(tmp_path: Path, name: str) -> None:
    assert RUN.invoke(app, ["witness", "init", name, "--state", str(tmp_path / "w")]).exit_code == 1
    assert not (tmp_path / "w").exists()


def test_it_trusts_no_key_that_is_none(folder: Path) -> None:
    assert RUN.invoke(app, ["witness", "trust", "junk", "--state", str(folder)]).exit_code == 1
    assert (folder / LOGS_FILE).read_text() == f"{LOG.vkey}\n"


def test_it_loads_nothing_of_the_writer() -> None:
    program = (
        "import sys, otokura.cli.witness.command\n"
        "print(*[name for name in sys.modules if name.startswith('otokura.') and 'cli' not in name])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
