"""`otokura verify`: exit codes, what it prints, what it keeps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from audit_logs import FolderLog, Scribe, flip, prepared_entries
from otokura.cli.verify.command import verify

app = typer.Typer()
app.command()(verify)


@pytest.fixture
def scribe() -> Scribe:
    return Scribe()


@pytest.fixture
def log(tmp_path: Path, scribe: Scribe) -> FolderLog:
    items = prepared_entries(scribe, 300)
    return FolderLog(tmp_path / "log", [item.leaf for item in items]).write()


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout, result.stderr


def test_an_honest_log_exits_0_and_its_checkpoint_is_kept(log: FolderLog, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    code, out, _ = run(log.root, "--key", log.vkey, "--save", kept)
    assert code == 0
    assert out.endswith("Verified.\n")
    assert kept.read_text() == log.note()
    code, out, _ = run(log.root, "--key", log.vkey, "--pin", kept, "--json")
    assert code == 0
    body = json.loads(out)
    assert (body["ok"], body["entries"], body["size"], body["pinned"]) == (True, 300, 300, 1)


def test_a_lying_log_exits_1_names_it_and_keeps_nothing(log: FolderLog, tmp_path: Path) -> None:
    flip(log.root / "tile/0/000", 5)
    kept = tmp_path / "kept"
    code, out, _ = run(log.root, "--key", log.vkey, "--save", kept)
    assert code == 1
    assert "tile-altered at tile/0/000" in out
    assert "NOT verified: 1 finding(s)." in out
    assert not kept.exists()
    code, out, _ = run(log.root, "--key", log.vkey, "--json")
    assert code == 1
    assert [finding["code"] for finding in json.loads(out)["findings"]] == ["tile-altered"]


async def test_a_receipt_is_verified_with_the_log(tmp_path: Path, scribe: Scribe) -> None:
    items = prepared_entries(scribe, 10)
    log = FolderLog(tmp_path / "log", [item.leaf for item in items]).write()
    receipt, keys = tmp_path / "receipt.json", tmp_path / "keys.json"
    receipt.write_text(json.dumps(await log.receipt(3, items[3])))
    keys.write_text(json.dumps({"access": scribe.public_key}))
    code, out, _ = run(log.root, "--key", log.vkey, "--receipt", receipt, "--source-keys", keys, "--json")
    assert code == 0
    assert json.loads(out)["receipts"] == 1


def test_holes_are_told_and_are_no_failure(tmp_path: Path, scribe: Scribe) -> None:
    items = prepared_entries(scribe, 10)
    log = FolderLog(
        tmp_path / "log", [item.leaf for at, item in enumerate(items) if at not in (3, 4, 7)]
    ).write()
    code, out, _ = run(log.root, "--key", log.vkey)
    assert code == 0
    assert f"{scribe.source}: numbers 4-5, 8 are not here (yet)" in out


def test_the_key_may_lie_in_a_file(log: FolderLog, tmp_path: Path) -> None:
    path = tmp_path / "log.vkey"
    path.write_text(log.vkey + "\n")
    assert run(log.root, "--key", path)[0] == 0


@pytest.mark.parametrize(
    "arguments",
    [["--key", "nonsense"], ["--key", "a+b+c"], [], ["--key", "KEY", "--pin", "/nonexistent"]],
)
def test_what_cannot_be_begun_exits_2_and_says_why(log: FolderLog, arguments: list[str]) -> None:
    code, _, err = run(log.root, *[log.vkey if argument == "KEY" else argument for argument in arguments])
    assert code == 2
    assert err.startswith("Cannot begin: ")
