"""Inclusion and consistency proofs, assembled from tiles (RFC 6962 §2.1.1, §2.1.2; C2SP tlog-proof)."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Protocol

from otokura.audit.merkle import (
    TILE_HEIGHT,
    Node,
    Span,
    consistency_spans,
    decompose,
    fold,
    inclusion_spans,
    perfect_root,
)
from otokura.audit.tiles import TILE_WIDTH, Tile, level_size


class Hashes(Protocol):
    """Where the hashes of tiles are read from."""

    async def tile(self, tile: Tile) -> Sequence[bytes]:
        """The tile's hashes, exactly `tile.width` of them."""
        ...


class Prover:
    """Computes roots and proofs of one tree, reading each tile at most once.

    Args:
        hashes: the tree's tiles.
        size: the tree's size; nothing beyond it is read.
    """

    def __init__(self, hashes: Hashes, size: int) -> None:
        self.size = size
        self._hashes = hashes
        self._tiles: dict[tuple[int, int], Sequence[bytes]] = {}

    async def root(self, size: int | None = None) -> bytes:
        """The root of the first `size` leaves (of all, when not given)."""
        return await self._subtree(Span(0, self.size if size is None else size))

    async def inclusion(self, index: int) -> list[bytes]:
        """The audit path of leaf `index`, from the leaf's sibling to the root's child."""
        return [await self._subtree(span) for span in inclusion_spans(index, self.size)]

    async def consistency(self, old: int) -> list[bytes]:
        """The proof that the first `old` leaves are a prefix of this tree."""
        return [await self._subtree(span) for span in consistency_spans(old, self.size)]

    async def _subtree(self, span: Span) -> bytes:
        return fold([await self._node(node) for node in decompose(span)])

    async def _node(self, node: Node) -> bytes:
        level, above = divmod(node.height, TILE_HEIGHT)
        start, count = node.index << above, 1 << above
        tile, first = divmod(start, TILE_WIDTH)
        hashes = await self._tile(level, tile)
        return perfect_root(hashes[first : first + count])

    async def _tile(self, level: int, index: int) -> Sequence[bytes]:
        key = (level, index)
        if key not in self._tiles:
            width = min(TILE_WIDTH, level_size(self.size, level) - index * TILE_WIDTH)
            self._tiles[key] = await self._hashes.tile(Tile(level, index, width))
        return self._tiles[key]


def proof_text(index: int, path: Sequence[bytes], checkpoint: str) -> str:
    """An offline proof of inclusion, as `c2sp.org/tlog-proof@v1`."""
    lines = [
        "c2sp.org/tlog-proof@v1",
        f"index {index}",
        *(base64.b64encode(hash_).decode() for hash_ in path),
    ]
    return "\n".join(lines) + "\n\n" + checkpoint
