"""Where the tree's hashes and entries lie: C2SP tlog-tiles.

A tile of level L holds up to 256 hashes of perfect nodes of height 8L; a bundle holds the entries under a
tile of level 0. Full tiles and bundles never change. Partial ones (`.p/<width>`) are cut at one tree size.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from otokura.audit.merkle import HASH_BYTES, TILE_HEIGHT

TILE_WIDTH = 1 << TILE_HEIGHT
MAX_ENTRY_BYTES = 65_535
MAX_LEVEL = 63

_GROUP = 1000
_LENGTH_BYTES = 2
_INDEX = r"(?:x[0-9]{3}/){0,6}[0-9]{3}"
"""Below 10**21: of no tree of fewer than 2**64 entries is a tile left out."""
_TILE_PATH = re.compile(
    rf"tile/(?P<level>entries|0|[1-9][0-9]?)/(?P<index>{_INDEX})(?:\.p/(?P<width>[1-9][0-9]{{0,2}}))?"
)


@dataclass(frozen=True)
class Tile:
    """One tile, or with `level` None the bundle of entries beneath it.

    Attributes:
        level: 0 to 63; None for a bundle.
        index: the tile's number in its level.
        width: hashes or entries in it, 1 to 256.
    """

    level: int | None
    index: int
    width: int = TILE_WIDTH

    @property
    def full(self) -> bool:
        """Whether the tile will never change."""
        return self.width == TILE_WIDTH

    @property
    def start(self) -> int:
        """The number, in its level, of the first hash."""
        return self.index * TILE_WIDTH

    @property
    def stop(self) -> int:
        """The number, in its level, after the last hash."""
        return self.start + self.width

    def path(self) -> str:
        """The path under the log's prefix, such as `tile/1/x001/067.p/17`."""
        level = "entries" if self.level is None else str(self.level)
        suffix = "" if self.full else f".p/{self.width}"
        return f"tile/{level}/{encode_index(self.index)}{suffix}"


def encode_index(index: int) -> str:
    """Three digits a group, all groups but the last prefixed with x: 1234067 → `x001/x234/067`."""
    groups = [f"{index % _GROUP:03d}"]
    while index >= _GROUP:
        index //= _GROUP
        groups.insert(0, f"x{index % _GROUP:03d}")
    return "/".join(groups)


def parse_path(path: str) -> Tile | None:
    """The tile that a path names; None unless the path is exactly what `Tile.path` writes."""
    match = _TILE_PATH.fullmatch(path)
    if match is None:
        return None
    level = None if match["level"] == "entries" else int(match["level"])
    index = int(match["index"].replace("x", "").replace("/", ""))
    tile = Tile(level, index, int(match["width"] or TILE_WIDTH))
    in_range = (level is None or level <= MAX_LEVEL) and tile.width <= TILE_WIDTH
    return tile if in_range and tile.path() == path else None


def level_size(size: int, level: int) -> int:
    """How many hashes level `level` has in a tree of `size`: complete subtrees of 256**level leaves."""
    return size >> (TILE_HEIGHT * level)


def tiles_between(old: int, new: int) -> Iterator[Tile]:
    """The bundles and tiles of a tree of `new` that a tree of `old` did not have, lowest level first."""
    yield from _level_between(None, old, new)
    level = 0
    while level_size(new, level):
        yield from _level_between(level, level_size(old, level), level_size(new, level))
        level += 1


def _level_between(level: int | None, old: int, new: int) -> Iterator[Tile]:
    if old == new:
        return
    for index in range(old // TILE_WIDTH, -(-new // TILE_WIDTH)):
        yield Tile(level, index, min(TILE_WIDTH, new - index * TILE_WIDTH))


def encode_bundle(entries: Iterable[bytes]) -> bytes:
    """Entries as a bundle: each a big-endian uint16 length and its bytes."""
    parts: list[bytes] = []
    for entry in entries:
        if len(entry) > MAX_ENTRY_BYTES:
            raise ValueError(
                f"an entry of {len(entry)} bytes does not fit a bundle (at most {MAX_ENTRY_BYTES})"
            )
        parts += (len(entry).to_bytes(_LENGTH_BYTES, "big"), entry)
    return b"".join(parts)


def decode_bundle(data: bytes) -> list[bytes]:
    """The entries of a bundle; ValueError where it is cut short."""
    entries: list[bytes] = []
    position = 0
    while position < len(data):
        start = position + _LENGTH_BYTES
        position = start + int.from_bytes(data[position:start], "big")
        if start > len(data) or position > len(data):
            raise ValueError("the bundle ends inside an entry")
        entries.append(data[start:position])
    return entries


def cut(tile: Tile, full: bytes) -> bytes:
    """The first `tile.width` hashes or entries of a full tile: partials need not outlive it."""
    if tile.level is None:
        return encode_bundle(decode_bundle(full)[: tile.width])
    return full[: tile.width * HASH_BYTES]
