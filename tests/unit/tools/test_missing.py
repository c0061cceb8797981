from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import chromium
import issuer_server
import sounds
from missing import COMPLETE, missing

ROOT = Path(__file__).parents[3]


def test_a_test_that_lacks_something_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(COMPLETE, raising=False)
    with pytest.raises(pytest.skip.Exception, match="no browser"):
        missing("no browser")


def test_it_fails_where_every_test_is_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(COMPLETE, "1")
    with pytest.raises(pytest.fail.Exception, match=r"no browser.*nothing may be left out"):
        missing("no browser")


def test_the_provider_the_browser_and_the_prompts_are_not_left_out_in_silence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where nothing is fetched and nothing can be."""
    monkeypatch.setenv(COMPLETE, "1")
    refused = subprocess.CompletedProcess([], 1, "", "no network")
    monkeypatch.setattr(subprocess, "run", lambda *_args, **_more: refused)
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    monkeypatch.setattr(issuer_server, "HOME", tmp_path / "issuer")
    monkeypatch.setattr(issuer_server, "find_spec", lambda _name: None)
    monkeypatch.setattr(chromium, "HOME", tmp_path / "chromium")
    monkeypatch.setattr(sounds, "SOUNDS", tmp_path / "sounds")
    for get in (issuer_server.fetched, issuer_server.node, chromium.fetched, sounds.fetch):
        with pytest.raises(pytest.fail.Exception, match="nothing may be left out"):
            get()


def test_the_check_of_a_change_wants_every_test() -> None:
    assert f"export {COMPLETE}=1" in (ROOT / ".ci" / "run").read_text().splitlines()
