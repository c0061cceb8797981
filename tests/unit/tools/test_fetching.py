"""What tests bring from elsewhere is brought once, whole, and again when another is wanted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import fetching

SCRIPT = """
mkdir -p "$1"
echo started >>"$1/../runs"
[ -e "$1/program" ] && { echo "written over a program that runs" >&2; exit 1; }
sleep 0.2
echo whole >"$1/program"
touch "$1/complete"
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder that nobody has filled yet."""
    return tmp_path / "cache" / "program"


def script(home: Path) -> list[str | Path]:
    return ["sh", "-c", SCRIPT, "fetch", home]


def test_many_at_the_same_time_bring_it_once(home: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        problems = list(pool.map(lambda _: fetching.fetched(home, script(home)), range(4)))
    assert problems == [None] * 4
    assert (home / "program").read_text() == "whole\n"
    assert (home.parent / "runs").read_text() == "started\n"


def test_what_is_complete_but_not_what_is_wanted_is_brought_again(home: Path) -> None:
    assert fetching.fetched(home, script(home)) is None
    (home / "program").unlink()
    assert fetching.fetched(home, script(home), current=lambda: False) is None
    assert (home.parent / "runs").read_text() == "started\nstarted\n"


def test_a_script_that_fails_is_told_and_tried_again(home: Path) -> None:
    home.mkdir(parents=True)
    (home / "program").write_text("half")
    assert fetching.fetched(home, script(home)) == "written over a program that runs"
    (home / "program").unlink()
    assert fetching.fetched(home, script(home)) is None
