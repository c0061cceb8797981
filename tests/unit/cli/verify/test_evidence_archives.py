"""The container of a bundle, and the command that verifies one."""

from __future__ import annotations

import json
import zipfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal

import pytest
from typer.testing import CliRunner

from evidence_bundles import MADE_AT, Maker, refused
from otokura.access.evidence.container import SealedArchive
from otokura.cli.__main__ import app
from otokura.cli.verify import Code
from otokura.cli.verify.evidence_archive import EvidenceArchive
from otokura.shared.ids import uuid7


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    return Maker(tmp_path)


@pytest.mark.guarantee("L29")
def test_archives_that_programs_read_differently_are_refused(maker: Maker, tmp_path: Path) -> None:
    """Even sealed by access: names that leave the folder, or stand twice; compressed; bytes between."""
    key = maker.scribes["access"].key

    def sealed(*members: str, between: bytes = b"") -> Path:
        archive = SealedArchive(MADE_AT, key)
        data = b""
        for name in members:
            archive.add(name, b"content")
            data += archive.take()
        if between:
            archive._archive._outlet.write(between)
        path = tmp_path / f"{uuid7()}.zip"
        path.write_bytes(data + archive.finish())
        return path

    with EvidenceArchive(sealed("a.txt", "b/c.txt"), key.public_key()) as archive:
        assert set(archive.members) == {"a.txt", "b/c.txt"}
    odd = (["../a"], ["/a"], ["a/../b"], ["a\\b"], ["a", "A"], ["a/b/c"], [".a"], ["あ"], ["a"] * 2)
    for names_in in odd:
        with (
            pytest.warns(UserWarning, match="Duplicate")
            if len(set(names_in)) < len(names_in)
            else nullcontext()
        ):
            path = sealed(*names_in)
        assert refused(maker, path) is Code.MALFORMED
    assert refused(maker, sealed("a", between=b"hidden")) is Code.MALFORMED
    assert refused(maker, sealed(*(f"a{n}" for n in range(65)))) is Code.MALFORMED
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zipfile, "ZIP_STORED", zipfile.ZIP_DEFLATED)
        path = sealed("bomb")
    assert refused(maker, path) is Code.MALFORMED


@pytest.mark.guarantee("L29")
@pytest.mark.parametrize(
    "change",
    [{"external_attr": 0o120777 << 16}, {"create_system": 0}, {"extra": b"\x75\x70\x06\x00\x01\0\0\0\0x"}],
    ids=["a link", "another system's", "a name in Unicode beside its own"],
)
def test_headers_that_no_bundle_has_are_refused(
    maker: Maker, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    """Programs that open archives believe them, and each of them others."""
    made = zipfile.ZipFile.open

    def other(
        archive: zipfile.ZipFile, info: zipfile.ZipInfo, mode: Literal["r", "w"] = "r", **options: Any
    ) -> Any:
        if mode == "w":
            for name, value in change.items():
                setattr(info, name, value)
        return made(archive, info, mode, **options)

    with monkeypatch.context() as patch:
        patch.setattr(zipfile.ZipFile, "open", other)
        path = maker.make()
    assert refused(maker, path) is Code.MALFORMED


@pytest.mark.guarantee("L29")
def test_the_command_says_what_it_checked_and_what_it_cannot_know(maker: Maker, tmp_path: Path) -> None:
    path, key, keys = maker.make(), tmp_path / "log.vkey", tmp_path / "keys.json"
    key.write_text(maker.log().vkey)
    keys.write_text(json.dumps(maker.source_keys))
    options = ["--key", str(key), "--source-keys", str(keys)]
    result = CliRunner().invoke(app, ["verify", "evidence", str(path), *options])
    assert result.exit_code == 0, result.output
    assert "a speaker is who they say they are" in result.output
    assert "4 entries" in result.output
    assert "not-configured" in result.output
    assert result.output.endswith("Verified.\n")
    told = json.loads(CliRunner().invoke(app, ["verify", "evidence", str(path), *options, "--json"]).output)
    assert (told["ok"], told["history"]["actions"]["read.denied"], len(told["unknown"])) == (True, 1, 8)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    result = CliRunner().invoke(app, ["verify", "evidence", str(path), *options])
    assert result.exit_code == 1
    assert "evidence-seal" in result.output
    assert CliRunner().invoke(app, ["verify", "evidence", str(tmp_path / "none"), *options]).exit_code == 2


@pytest.mark.guarantee("L29")
def test_a_mistake_in_what_is_given_is_no_verdict_on_the_bundle(maker: Maker, tmp_path: Path) -> None:
    path, good, keys = maker.make(), tmp_path / "log.vkey", tmp_path / "keys.json"
    good.write_text(f"# of 2026\n{maker.log().vkey}\n\n")
    keys.write_text(json.dumps(maker.source_keys))
    wrong = tmp_path / "wrong"
    wrong.write_text('{"access": 5}')

    def run(*given: object) -> int:
        arguments = ["verify", "evidence", str(path), *(str(each) for each in given)]
        return CliRunner().invoke(app, arguments).exit_code

    assert run("--key", good, "--source-keys", keys) == 0
    assert run("--key", good, "--source-keys", wrong) == 2
    for mistyped in ({**maker.source_keys, "access": "???"}, {"ingest": maker.source_keys["ingest"]}):
        wrong.write_text(json.dumps(mistyped))
        assert run("--key", good, "--source-keys", wrong) == 2
    assert run("--key", "a+b+c", "--source-keys", keys) == 2
    assert run("--key", good, "--source-keys", keys, "--tsa-root", wrong) == 2
    assert run("--source-keys", keys) == 2
