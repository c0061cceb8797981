"""What the verifier does fast gives what the plain way gives, and reading ahead stays bounded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from audit_logs import FolderLog, Scribe, prepared_entries
from otokura.cli.verify import verify_log
from otokura.cli.verify.ahead import AHEAD, in_order
from otokura.cli.verify.leaves import parse_leaf, read_number
from otokura.cli.verify.merkle import RollingRoot, hash_leaf, hash_leaves, tile_head, tree_head

LEAF: dict[str, Any] = {
    "v": 1,
    "source": "access/1",
    "seq": 7,
    "time": "2026-05-01T09:00:00Z",
    "commitment": "0f" * 32,
}
texts = st.one_of(st.sampled_from(['"', "\\", "音", "\x7f", "", " ", '","time":"']), st.text(max_size=8))


def hashes(count: int) -> list[bytes]:
    return [sha256(b"%d" % at).digest() for at in range(count)]


@pytest.mark.guarantee("L27")
@given(
    st.fixed_dictionaries(
        {
            "v": st.sampled_from([1, 1.0, 2, True, "1"]),
            "source": texts,
            "seq": st.one_of(st.integers(-1, 3), st.sampled_from([2**53 - 1, 2**53, 10**15, 1.5, "1", True])),
            "time": texts,
            "commitment": st.sampled_from(["0f" * 32, "0F" * 32, "0f" * 31, "0f" * 32 + "\n"]),
        }
    ),
    st.sampled_from([b"", b" ", b"\n"]),
)
def test_a_leaf_is_read_fast_exactly_where_it_is_read_at_all(leaf: dict[str, Any], after: bytes) -> None:
    for members in (leaf, {**LEAF, "source": leaf["source"]}, {**LEAF, "seq": leaf["seq"]}):
        try:
            data = rfc8785.dumps(members) + after
        except ValueError:
            continue  # no JSON that anybody could write
        plain = parse_leaf(data)
        assert read_number(data) == (None if plain is None else (plain.source, plain.seq))


@pytest.mark.guarantee("L27")
@pytest.mark.parametrize(
    "data",
    [
        rfc8785.dumps(LEAF).replace(b'"seq":7', b'"seq":07'),
        rfc8785.dumps(LEAF).replace(b'"seq":7', b'"seq":+7'),
        rfc8785.dumps(LEAF).replace(b'"seq":7', b'"seq":7.0'),
        rfc8785.dumps(LEAF).replace(b'"seq":7', b'"seq": 7'),
        rfc8785.dumps(LEAF).replace(b"access", b"\\u0061ccess"),
        rfc8785.dumps(LEAF).replace(b"access", b"acc\ness"),
        rfc8785.dumps(LEAF).replace(b'"v":1', b'"v":1,"w":1'),
        b'{"v":1,' + rfc8785.dumps(LEAF)[1:],
        b"",
    ],
)
def test_what_is_no_canonical_leaf_is_not_read_fast_either(data: bytes) -> None:
    assert parse_leaf(data) is None
    assert read_number(data) is None


@pytest.mark.guarantee("L27")
@pytest.mark.parametrize("count", [1, 2, 4, 256])
def test_a_tile_is_hashed_level_by_level_to_what_the_recursion_gives(count: int) -> None:
    assert tile_head(hashes(count)) == tree_head(hashes(count))
    assert hash_leaves(hashes(count)) == [hash_leaf(one) for one in hashes(count)]


@pytest.mark.parametrize("count", [0, 3, 255])
def test_what_is_no_full_tile_is_not_hashed_as_one(count: int) -> None:
    with pytest.raises(ValueError, match=f"{count} is not a power of two"):
        tile_head(hashes(count))


@pytest.mark.guarantee("L27")
@given(st.integers(0, 9), st.integers(0, 255))
def test_whole_tiles_at_once_give_the_root_that_leaves_one_by_one_give(tiles: int, rest: int) -> None:
    leaves = hashes(256 * tiles + rest)
    fast, plain = RollingRoot(), RollingRoot()
    for at in range(tiles):
        fast.add(tile_head(leaves[256 * at : 256 * (at + 1)]), 256)
    for leaf in leaves[256 * tiles :]:
        fast.add(leaf)
    for leaf in leaves:
        plain.add(leaf)
    assert fast.root() == plain.root() == tree_head(leaves)
    if fast.size % 256:
        with pytest.raises(ValueError, match="no subtree"):
            fast.add(leaves[0], 256)


@pytest.mark.guarantee("L2")
@pytest.mark.parametrize("size", [1, 255, 256, 257, 511, 512, 513, 700])
def test_a_checkpoint_kept_from_any_size_is_found_to_be_a_prefix(tmp_path: Path, size: int) -> None:
    scribe = Scribe()
    log = FolderLog(tmp_path, [item.leaf for item in prepared_entries(scribe, 700)]).write()
    report = verify_log(tmp_path, log.vkey, pinned=[log.note(size)])
    assert report.ok, report.findings
    assert report.pinned == 1


class Fetches:
    """Counts what was begun and is not yet asked for."""

    def __init__(self, count: int) -> None:
        self.begun = 0
        self._lock = threading.Lock()
        self._count = count

    def __iter__(self) -> Iterator[Callable[[], int]]:
        for number in range(self._count):
            yield partial(self._fetch, number)

    def _fetch(self, number: int) -> int:
        with self._lock:
            self.begun += 1
        if number % 5 == 3:
            raise LookupError(number)
        return number


@pytest.mark.parametrize("threads", [0, 3])
def test_results_and_errors_come_in_order_and_few_are_fetched_before_their_turn(threads: int) -> None:
    fetches = Fetches(60)
    for turn, result in enumerate(in_order(fetches, threads)):
        if turn % 5 == 3:
            with pytest.raises(LookupError, match=str(turn)):
                result()
        else:
            assert result() == turn
        assert turn + 1 <= fetches.begun <= turn + 1 + (AHEAD if threads else 0)
    assert fetches.begun == 60


def test_who_stops_early_leaves_nothing_running() -> None:
    fetches = Fetches(1000)
    with closing(in_order(fetches, 3)) as results:
        assert next(results)() == 0
    assert fetches.begun <= AHEAD + 1
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]
