"""`otokura verify receipt`: offline, what it says that it checked, and its exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from audit_logs import FolderLog, Scribe, prepared_entries
from cosigning import hand
from otokura.cli.__main__ import app

RUN = CliRunner()
SCRIBE = Scribe()
ITEMS = prepared_entries(SCRIBE, 20)
LOG = FolderLog(Path("nowhere"), [item.leaf for item in ITEMS])
WITNESS = hand("witness.example/w1")


@pytest.fixture
async def receipt(tmp_path: Path) -> dict[str, Any]:
    """The receipt of entry 7, also in `receipt.json`; the sources' keys in `sources.json`."""
    tmp_path.joinpath("sources.json").write_text(json.dumps({"access": SCRIBE.public_key}))
    found = await LOG.receipt(7, ITEMS[7])
    tmp_path.joinpath("receipt.json").write_text(json.dumps(found))
    return found


def run(folder: Path, *more: str, file: str = "receipt.json", key: str = LOG.vkey) -> tuple[int, str]:
    result = RUN.invoke(app, ["verify", "receipt", str(folder / file), "--key", key, *more])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


@pytest.mark.usefixtures("receipt")
def test_it_says_what_it_checked_and_what_nobody_can_know(tmp_path: Path) -> None:
    code, said = run(tmp_path)
    assert code == 0
    assert "entry 7 of 20" in said
    assert "  unknown   that the service named in it wrote it" in said
    assert "  unknown   whether others are shown the same log" in said
    code, said = run(tmp_path, "--source-keys", str(tmp_path / "sources.json"))
    assert code == 0
    assert "  checked   that the service named in it wrote it" in said
    code, said = run(tmp_path, "--json")
    assert (code, json.loads(said)["index"]) == (0, 7)


async def test_a_receipt_whose_detail_was_deleted(tmp_path: Path, receipt: dict[str, Any]) -> None:
    tmp_path.joinpath("receipt.json").write_text(json.dumps({**receipt, "entry": None, "salt": None}))
    code, said = run(tmp_path)
    assert code == 0
    assert "  unknown   what the entry said" in said


async def test_a_plain_proof_with_its_leaf(tmp_path: Path, receipt: dict[str, Any]) -> None:
    tmp_path.joinpath("e.tlog-proof").write_text(receipt["proof"])
    tmp_path.joinpath("leaf").write_bytes(ITEMS[7].leaf)
    tmp_path.joinpath("other").write_bytes(ITEMS[6].leaf)
    assert run(tmp_path, "--entry", str(tmp_path / "leaf"), file="e.tlog-proof")[0] == 0
    code, said = run(tmp_path, "--entry", str(tmp_path / "other"), file="e.tlog-proof")
    assert (code, "not-included" in said) == (1, True)
    code, said = run(tmp_path, file="e.tlog-proof")
    assert (code, "--entry" in said) == (2, True)


@pytest.mark.guarantee("L24")
async def test_it_asks_for_witnesses(tmp_path: Path, receipt: dict[str, Any]) -> None:
    asked = ["--witness", WITNESS.vkey]
    code, said = run(tmp_path, *asked)
    assert (code, "not-witnessed" in said) == (1, True)
    cosigned = receipt["proof"] + WITNESS.line(LOG.note(), int(time.time()))
    tmp_path.joinpath("receipt.json").write_text(json.dumps({**receipt, "proof": cosigned}))
    code, said = run(tmp_path, *asked)
    assert (code, "witnesses saw that tree: witness.example/w1 at " in said) == (0, True)
    two = [*asked, "--witness", hand("witness.example/w2").vkey]
    assert run(tmp_path, *two)[0] == 1
    assert run(tmp_path, *two, "--quorum", "1")[0] == 0
    assert run(tmp_path, *two, "--quorum", "3")[0] == 2
    assert run(tmp_path, "--quorum", "1")[0] == 2


@pytest.mark.usefixtures("receipt")
def test_one_of_several_keys_is_enough(tmp_path: Path) -> None:
    """Of a log whose key was replaced, and of several years."""
    other = FolderLog(tmp_path, [], Ed25519PrivateKey.generate())
    earlier = FolderLog(tmp_path, [], LOG.key, origin="example.jp/log/2025")
    keys = tmp_path / "keys"
    keys.write_text(f"# the log's keys\n{other.vkey}\n{earlier.vkey}\n\n{LOG.vkey}\n")
    assert run(tmp_path, key=str(keys))[0] == 0
    assert run(tmp_path, "--key", LOG.vkey, key=other.vkey)[0] == 0
    code, said = run(tmp_path, "--key", earlier.vkey, key=other.vkey)
    assert (code, "wrong-key" in said) == (1, True)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda found: found.update(salt=""), "malformed"),
        (lambda found: found["entry"].update(reader="suzuki"), "commitment-mismatch"),
        (lambda found: found["leaf"].update(seq=9), "not-included"),
        (lambda found: found.update(proof=found["proof"].replace("index 7", "index 8")), "not-included"),
    ],
)
async def test_an_altered_receipt(
    tmp_path: Path, receipt: dict[str, Any], change: Callable[[dict[str, Any]], None], name: str
) -> None:
    change(receipt)
    tmp_path.joinpath("receipt.json").write_text(json.dumps(receipt))
    code, said = run(tmp_path, "--json")
    assert (code, json.loads(said)["code"]) == (1, name)


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b"{", b"[" * 100_000, b"{}" + b" " * (1 << 22)])
def test_what_is_no_receipt_cannot_be_begun(tmp_path: Path, content: bytes) -> None:
    tmp_path.joinpath("receipt.json").write_bytes(content)
    code, said = run(tmp_path)
    assert (code, said.startswith("Cannot begin: ")) == (2, True)


def test_without_a_key_nothing_is_believed(tmp_path: Path) -> None:
    tmp_path.joinpath("receipt.json").write_text("{}")
    result = RUN.invoke(app, ["verify", "receipt", str(tmp_path / "receipt.json")])
    assert (result.exit_code, "--key is needed" in result.output) == (2, True)


@pytest.mark.guarantee("L12")
def test_the_verifier_loads_nothing_of_the_writer() -> None:
    """Not by way of something else, either: what is loaded with it is looked at, in a process of its own."""
    program = (
        "import sys, otokura.cli.verify.command\n"
        "ours = sorted(name for name in sys.modules if name.startswith('otokura.'))\n"
        "print(*[name for name in ours if not name.startswith('otokura.cli')])\n"
        "print(*[name for name in ('sqlalchemy', 'fastapi', 'rfc8785', 'pydantic') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
