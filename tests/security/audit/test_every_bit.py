"""A bit flipped anywhere in a log: the verifier finds it, wherever it is.

C2SP lets a stale partial tile lie beside its full one, and readers use the full one; nothing in it speaks of
the log any more, and a bit in it is nobody's finding. Every file that a reader reads is covered here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from golden import make_logs
from otokura.audit.tiles import decode_bundle
from otokura.cli.verify import Code, Report, verify_log

VKEY = make_logs.SIGNER.vkey
pytestmark = pytest.mark.guarantee("L2")


def flipped(path: Path, positions: Iterator[int], folder: Path) -> Iterator[tuple[int, Report]]:
    """What the verifier says with one bit after another flipped; `positions` count bits."""
    good = path.read_bytes()
    for position in positions:
        bad = bytearray(good)
        bad[position // 8] ^= 1 << (position % 8)
        path.write_bytes(bad)
        yield position, verify_log(folder, VKEY)
    path.write_bytes(good)


@pytest.mark.slow
def test_every_single_bit_of_every_file_of_a_small_log_counts(tmp_path: Path) -> None:
    folder = make_logs.put(tmp_path, 2)
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    assert [str(path.relative_to(folder)) for path in paths] == [
        "checkpoint", "tile/0/000.p/2", "tile/entries/000.p/2",
    ]  # fmt: skip
    for path in paths:
        bits = range(8 * path.stat().st_size)
        unnoticed = [position for position, report in flipped(path, iter(bits), folder) if report.ok]
        assert unnoticed == [], path
    assert verify_log(folder, VKEY).ok


def _hashes(path: Path) -> Iterator[int]:
    """One bit of each hash of a tile, another one each time."""
    for index in range(path.stat().st_size // 32):
        yield 8 * 32 * index + index * 37 % 256


def _entries(path: Path) -> Iterator[int]:
    """One bit of each entry of a bundle, and one of the length before each."""
    at = 0
    for index, entry in enumerate(decode_bundle(path.read_bytes())):
        yield 8 * at + 8 + index % 8
        yield 8 * (at + 2) + index * 37 % (8 * len(entry))
        at += 2 + len(entry)


@pytest.mark.slow
def test_every_hash_and_every_entry_of_a_log_with_two_levels_counts(tmp_path: Path) -> None:
    folder = make_logs.put(tmp_path, 257)
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    assert [str(path.relative_to(folder)) for path in paths] == [
        "checkpoint", "tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1",
        "tile/entries/000", "tile/entries/001.p/1",
    ]  # fmt: skip
    for path in paths:
        kind = path.relative_to(folder).parts[1:2]
        places = _entries if kind == ("entries",) else _hashes
        bits = iter(range(8 * path.stat().st_size)) if path.name == "checkpoint" else places(path)
        unnoticed = [position for position, report in flipped(path, bits, folder) if report.ok]
        assert unnoticed == [], path


@pytest.mark.parametrize("size", [2, 257])
def test_a_file_that_is_gone_or_cut_short_or_longer_is_found(tmp_path: Path, size: int) -> None:
    folder = make_logs.put(tmp_path, size)
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        good = path.read_bytes()
        for bad in (good[:-1], good + b"\0", b""):
            path.write_bytes(bad)
            assert not verify_log(folder, VKEY).ok, path
        path.unlink()
        assert [finding.code for finding in verify_log(folder, VKEY).findings][:1] == [Code.MISSING]
        path.write_bytes(good)
    assert verify_log(folder, VKEY).ok
