"""The workspace keeps its shape: one namespace, one distribution a folder, short files, no registry."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = ["ingest", "transcribe", "access", "audit"]
DISTRIBUTIONS = ["shared", "cli", *(f"services/{name}" for name in SERVICES)]


def tracked(*patterns: str) -> list[Path]:
    names = subprocess.run(
        ["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return [ROOT / name for name in names.split("\0") if name]


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_the_namespace_has_no_init(distribution: str) -> None:
    """One `otokura/__init__.py` would hide every other distribution's modules."""
    assert (ROOT / distribution / "otokura").is_dir()
    assert not (ROOT / distribution / "otokura" / "__init__.py").exists()


def test_files_stay_short() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in tracked("*.py")
        if path.exists() and (lines := len(path.read_text().splitlines())) > 320
    }
    assert long == {}


def test_no_file_names_a_registry_or_a_lock() -> None:
    """Pins hold names, versions and hashes: where they come from is the machine's own setting."""
    assert tracked("uv.lock", "**/uv.lock") == []
    for path in tracked("requirements/*.txt"):
        assert "index-url" not in path.read_text(), path
