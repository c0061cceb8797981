"""Roots and proofs of consistency computed from a log's tiles (RFC 9162 §2.1.4.1).

Tiles are not believed: a proof made of them is verified against two signed roots, and is worth what it
proves. It takes a handful of tiles, however large the log is.
"""

from __future__ import annotations

from otokura.cli.verify.findings import Code, VerificationError
from otokura.cli.verify.merkle import hash_children, is_consistent, tree_head
from otokura.cli.verify.notes import Checkpoint
from otokura.cli.verify.places import WIDTH, Place, fetch_hashes

_TILE_HEIGHT = 8
_KEPT = 64
"""Tiles kept: a proof reads a few of each level, and the next proof mostly the same ones."""


class Tiles:
    """One tree, read from the tiles of a place.

    Args:
        place: where they are.
        size: of the tree; nothing beyond it is read.
    """

    def __init__(self, place: Place, size: int) -> None:
        self._place = place
        self._size = size
        self._kept: dict[tuple[int, int], list[bytes]] = {}

    def root(self) -> bytes:
        """The root that the tiles give."""
        return self._subtree(0, self._size)

    def consistency(self, old: int) -> list[bytes]:
        """The proof that the first `old` leaves are a prefix of the tree; 0 < old ≤ size."""
        return self._subproof(old, 0, self._size, whole=True)

    def _subproof(self, old: int, start: int, end: int, *, whole: bool) -> list[bytes]:
        """SUBPROOF(old, D[start:end], whole)."""
        if old == end - start:
            return [] if whole else [self._subtree(start, end)]
        split = _split(end - start)
        if old <= split:
            left = self._subproof(old, start, start + split, whole=whole)
            return [*left, self._subtree(start + split, end)]
        right = self._subproof(old - split, start + split, end, whole=False)
        return [*right, self._subtree(start, start + split)]

    def _subtree(self, start: int, end: int) -> bytes:
        """MTH(D[start:end])."""
        width = end - start
        if width == 0:
            return tree_head(())
        if width & (width - 1) == 0:
            return self._node(width.bit_length() - 1, start)
        split = _split(width)
        return hash_children(self._subtree(start, start + split), self._subtree(start + split, end))

    def _node(self, height: int, start: int) -> bytes:
        """The root over 2**height leaves from `start` on, which begins at a multiple of as many."""
        level, above = divmod(height, _TILE_HEIGHT)
        first = start >> (level * _TILE_HEIGHT)
        index, at = divmod(first, WIDTH)
        return tree_head(self._tile(level, index)[at : at + (1 << above)])

    def _tile(self, level: int, index: int) -> list[bytes]:
        found = self._kept.pop((level, index), None)
        if found is None:
            width = min(WIDTH, (self._size >> (level * _TILE_HEIGHT)) - index * WIDTH)
            found = fetch_hashes(self._place, level, index, width)
        self._kept[level, index] = found
        if len(self._kept) > _KEPT:
            del self._kept[next(iter(self._kept))]
        return found


def _split(width: int) -> int:
    """The largest power of two smaller than `width`."""
    return 1 << (width - 1).bit_length() - 1


def check_continues(tiles: Tiles, old: Checkpoint, new: Checkpoint) -> None:
    """Makes sure that a signed tree is a prefix of another; `tiles` are those of `new`.

    Raises:
        VerificationError: `forked`: both are signed, and they contradict each other; `rolled-back`: the new
            one is smaller; or the tiles served are not those of `new`, or cannot be read.
    """
    where = f"checkpoint of {old.size}"
    if old.origin != new.origin:
        raise VerificationError(Code.WRONG_ORIGIN, where, f"{old.origin} is another log than {new.origin}")
    if old.size > new.size:
        raise VerificationError(Code.ROLLED_BACK, where, f"the log now has only {new.size} entries")
    if old.size == new.size:
        if old.root != new.root:
            raise VerificationError(Code.FORKED, where, "two trees of this size are signed")
        return
    proof = [] if old.size == 0 else tiles.consistency(old.size)
    if is_consistent((old.size, old.root), (new.size, new.root), proof):
        return
    if tiles.root() != new.root:
        detail = f"the tiles served do not give the signed root of {new.size}"
        raise VerificationError(Code.ROOT_MISMATCH, f"size {new.size}", detail)
    detail = f"its root is not that of the first {old.size} entries of the signed tree of {new.size}"
    raise VerificationError(Code.FORKED, where, detail)
