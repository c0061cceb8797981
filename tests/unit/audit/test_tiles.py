"""Tiles, bundles and their paths as C2SP tlog-tiles has them; a foreign reader reads them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey
from tlog_scales.tiles import leaf_hash as foreign_leaf_hash
from tlog_scales.tiles import tile_path as foreign_path

from audit_logs import FolderLog
from otokura.audit.tiles import Tile, cut, decode_bundle, encode_bundle, parse_path, tiles_between
from otokura.cli.verify.places import tile_path

tiles = st.builds(
    Tile, st.one_of(st.none(), st.integers(0, 63)), st.integers(0, 1 << 50), st.integers(1, 256)
)


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(1, 1234067), "tile/1/x001/x234/067"),
        (Tile(2, 1000, 17), "tile/2/x001/000.p/17"),
        (Tile(None, 999, 255), "tile/entries/999.p/255"),
        (Tile(63, 12345), "tile/63/x012/345"),
    ],
)
def test_paths_are_those_of_the_specification(tile: Tile, path: str) -> None:
    assert tile.path() == path
    assert parse_path(path) == tile


@given(tiles)
def test_every_path_reads_back_and_is_what_others_write(tile: Tile) -> None:
    assert parse_path(tile.path()) == tile
    level = -1 if tile.level is None else tile.level
    assert tile.path() == "/".join(foreign_path(level, tile.index, tile.width % 256))
    assert tile.path() == tile_path("entries" if tile.level is None else tile.level, tile.index, tile.width)


@pytest.mark.parametrize(
    "path",
    [
        "", "tile/0", "tile/0/1", "tile/00/001", "tile/64/000", "tile/0/x000/001", "tile/0/001/002",
        "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/007", "tile/0/000.p/", "tile/-1/000",
        "tile/data/000", "tile/0/000/../../checkpoint", "tile/entries/0000", "tile/0/000\n", "tile/0/٠٠٠",
        "tile/0/" + "x999/" * 7 + "999", "tile/0/" + "x999/" * 1433 + "999",
    ],
)  # fmt: skip
def test_other_paths_name_no_tile(path: str) -> None:
    assert parse_path(path) is None


def test_a_tree_of_70000_has_the_tiles_of_the_specification() -> None:
    found = list(tiles_between(0, 70_000))
    level_zero = [tile for tile in found if tile.level == 0]
    assert [tile.width for tile in level_zero] == [256] * 273 + [112]
    assert [tile for tile in found if tile.level == 1] == [Tile(1, 0), Tile(1, 1, 17)]
    assert [tile for tile in found if tile.level == 2] == [Tile(2, 0, 1)]
    assert not [tile for tile in found if tile.level == 3]
    assert [tile.width for tile in found if tile.level is None] == [256] * 273 + [112]


@given(st.lists(st.integers(0, 70_000), min_size=1, max_size=8))
def test_growing_in_steps_leaves_no_tile_out(steps: list[int]) -> None:
    sizes = sorted({0, *steps})
    published = {tile for old, new in pairwise(sizes) for tile in tiles_between(old, new)}
    assert published >= set(tiles_between(0, sizes[-1]))


@given(st.lists(st.binary(max_size=300), max_size=256))
def test_a_bundle_reads_back(entries: list[bytes]) -> None:
    assert decode_bundle(encode_bundle(entries)) == entries


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=20), st.data())
def test_a_bundle_cut_short_is_refused(entries: list[bytes], data: st.DataObject) -> None:
    encoded = encode_bundle(entries)
    ends = {0}
    for entry in entries:
        ends.add(max(ends) + 2 + len(entry))
    at = data.draw(st.integers(0, len(encoded)).filter(lambda place: place not in ends))
    with pytest.raises(ValueError, match="ends inside an entry"):
        decode_bundle(encoded[:at])


def test_an_entry_may_have_65535_bytes_and_not_one_more() -> None:
    assert decode_bundle(encode_bundle([bytes(65_535)])) == [bytes(65_535)]
    with pytest.raises(ValueError, match="does not fit"):
        encode_bundle([bytes(65_536)])


@given(st.integers(1, 255))
def test_a_full_tile_still_serves_its_partial_ones(width: int) -> None:
    entries = [b"%d" % index for index in range(256)]
    hashes = [bytes([index]) * 32 for index in range(256)]
    assert cut(Tile(None, 0, width), encode_bundle(entries)) == encode_bundle(entries[:width])
    assert cut(Tile(0, 0, width), b"".join(hashes)) == b"".join(hashes[:width])


@pytest.mark.parametrize("size", [1, 255, 256, 257, 600, 65_537, 70_000])
def test_tlog_scales_reads_and_proves_our_log(tmp_path: Path, size: int) -> None:
    log = FolderLog(tmp_path, [b"leaf %d" % index for index in range(size)]).write()
    reader = TilesReader(LocalBackend(tmp_path))
    checkpoint = reader.get_checkpoint()
    checkpoint.verify(Vkey.from_string(log.vkey))
    assert (checkpoint.origin, checkpoint.size) == ("example.jp/log/2026", size)
    assert reader.calculate_root_hash() == checkpoint.root_hash == log.tree_root()
    for index in {0, size // 2, size - 1}:
        reader.get_inclusion_proof(index, size).check(
            foreign_leaf_hash(reader.get_entry(index)), checkpoint.root_hash
        )
        assert reader.get_entry(index) == b"leaf %d" % index
    if size > 1:
        old = size // 2
        reader.get_consistency_proof(old, size).check(log.tree_root(old), checkpoint.root_hash)
