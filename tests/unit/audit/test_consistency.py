"""Proofs of consistency that the verifier makes of tiles are the writer's, and prove what they should."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit_logs import FolderLog
from otokura.audit.proofs import Prover
from otokura.cli.verify import Code, VerificationError
from otokura.cli.verify.consistency import Tiles, check_continues
from otokura.cli.verify.notes import Checkpoint
from otokura.cli.verify.places import WIDTH, fetch_hashes

pytestmark = pytest.mark.guarantee("L26")

LARGEST = 70_000


class Memory:
    """A log's tiles of level 0 and above, cut to the size that is asked for; counts what is read."""

    threads = 0

    def __init__(self, log: FolderLog, size: int) -> None:
        self._levels = [list(level[: size >> 8 * at]) for at, level in enumerate(log._levels)]
        self.read = 0

    def fetch(self, path: str) -> bytes | None:
        self.read += 1
        _, level, *name = path.partition(".p/")[0].split("/")
        index = int("".join(part.removeprefix("x") for part in name))
        data = b"".join(self._levels[int(level)][index * WIDTH : (index + 1) * WIDTH])
        return data or None


@cache
def log() -> FolderLog:
    return FolderLog(Path("nowhere"), [b"%d" % at for at in range(LARGEST)])


def checkpoint(size: int, root: bytes | None = None) -> Checkpoint:
    return Checkpoint("o", size, log().tree_root(size) if root is None else root, "")


def test_the_place_of_these_tests_serves_what_the_log_has() -> None:
    place = Memory(log(), 300)
    assert fetch_hashes(place, 0, 1, 44) == list(log()._levels[0][256:300])
    assert fetch_hashes(place, 1, 0, 1) == list(log()._levels[1][:1])


async def same_as_the_writers(old: int, new: int) -> None:
    tiles = Tiles(Memory(log(), new), new)
    assert tiles.root() == log().tree_root(new)
    assert tiles.consistency(old) == await Prover(log(), new).consistency(old)
    check_continues(tiles, checkpoint(old), checkpoint(new))


@pytest.mark.parametrize("old", [1, 2, 255, 256, 257, 511, 65_535, 65_536, 65_537, 69_999])
@pytest.mark.parametrize("new", [1, 256, 257, 65_536, 65_537, 70_000])
async def test_at_the_edges_of_tiles(old: int, new: int) -> None:
    if old <= new:
        await same_as_the_writers(old, new)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, LARGEST), st.integers(1, LARGEST))
async def test_of_any_sizes(one: int, other: int) -> None:
    await same_as_the_writers(min(one, other), max(one, other))


def test_a_proof_takes_a_handful_of_tiles() -> None:
    place = Memory(log(), LARGEST)
    Tiles(place, LARGEST).consistency(54_321)
    assert place.read <= 8


def test_from_nothing_everything_continues() -> None:
    check_continues(Tiles(Memory(log(), 300), 300), checkpoint(0), checkpoint(300))
    with pytest.raises(VerificationError, match="forked"):
        check_continues(Tiles(Memory(log(), 300), 300), checkpoint(0, bytes(32)), checkpoint(300))


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (checkpoint(200, bytes(32)), checkpoint(300), Code.FORKED),
        (checkpoint(300, bytes(32)), checkpoint(300), Code.FORKED),
        (checkpoint(301), checkpoint(300), Code.ROLLED_BACK),
        (checkpoint(200), checkpoint(300, bytes(32)), Code.ROOT_MISMATCH),
        (Checkpoint("another", 200, bytes(32), ""), checkpoint(300), Code.WRONG_ORIGIN),
    ],
    ids=["forked", "forked at once", "smaller", "other tiles", "other log"],
)
def test_what_does_not_continue(old: Checkpoint, new: Checkpoint, code: Code) -> None:
    with pytest.raises(VerificationError) as caught:
        check_continues(Tiles(Memory(log(), 300), 300), old, new)
    assert caught.value.finding.code is code
