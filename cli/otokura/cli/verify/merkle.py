"""The Merkle tree as a verifier needs it: RFC 9162 §2.1, written from the RFC alone.

The service that writes the log has code of its own for the same mathematics. Nothing is shared on
purpose: a mistake in one cannot hide in the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence


def hash_leaf(entry: bytes) -> bytes:
    """SHA-256(0x00 ‖ entry)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def hash_children(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def tree_head(hashes: Sequence[bytes]) -> bytes:
    """The root over the given hashes, by the recursive definition (RFC 9162 §2.1.1)."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return hash_children(tree_head(hashes[:split]), tree_head(hashes[split:]))


def hash_leaves(entries: Sequence[bytes]) -> list[bytes]:
    """`hash_leaf` of each."""
    digest = hashlib.sha256
    return [digest(b"\x00" + entry).digest() for entry in entries]


def tile_head(hashes: Sequence[bytes]) -> bytes:
    """`tree_head` over as many hashes as a full tile has, or another power of two: level by level."""
    if not hashes or len(hashes) & (len(hashes) - 1):
        raise ValueError(f"{len(hashes)} is not a power of two")
    digest, level = hashlib.sha256, hashes
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=True)
        level = [digest(b"\x01" + left + right).digest() for left, right in pairs]
    return level[0]


class RollingRoot:
    """The root of a stream of leaf hashes, in memory that grows with the logarithm of their number."""

    def __init__(self) -> None:
        self.size = 0
        self._stack: list[tuple[int, bytes]] = []

    def add(self, head: bytes, width: int = 1) -> None:
        """Adds one leaf hash: subtrees of equal size are joined (RFC 9162 §2.1.2).

        Or the head over the next `width` of them, a power of two of which the size is a multiple.
        """
        if self.size % width:
            raise ValueError(f"no subtree of {width} begins at {self.size}")
        self.size += width
        current = head
        while self._stack and self._stack[-1][0] == width:
            current = hash_children(self._stack.pop()[1], current)
            width *= 2
        self._stack.append((width, current))

    def root(self) -> bytes:
        """The root of what was added so far."""
        remaining = [hash_ for _, hash_ in self._stack]
        if not remaining:
            return tree_head(())
        result = remaining.pop()
        while remaining:
            result = hash_children(remaining.pop(), result)
        return result


def inclusion_root(leaf_hash: bytes, index: int, size: int, path: Iterable[bytes]) -> bytes | None:
    """The root that an inclusion proof leads to (RFC 9162 §2.1.3.2); None if its length is wrong."""
    if not 0 <= index < size:
        return None
    position, last, result = index, size - 1, leaf_hash
    for sibling in path:
        if last == 0:
            return None
        if position % 2 or position == last:
            result = hash_children(sibling, result)
            while not position % 2 and position:
                position, last = position >> 1, last >> 1
        else:
            result = hash_children(result, sibling)
        position, last = position >> 1, last >> 1
    return result if last == 0 else None


def is_consistent(old: tuple[int, bytes], new: tuple[int, bytes], path: Sequence[bytes]) -> bool:
    """Whether `path` proves the tree (size, root) `old` a prefix of `new` (RFC 9162 §2.1.4.2)."""
    (old_size, old_root), (new_size, new_root) = old, new
    if old_size == new_size:
        return old_root == new_root and not path
    if old_size == 0:
        return old_root == tree_head(()) and not path
    if old_size > new_size or not path:
        return False
    hashes = list(path) if old_size & (old_size - 1) else [old_root, *path]
    position, last = old_size - 1, new_size - 1
    while position % 2:
        position, last = position >> 1, last >> 1
    from_old = from_new = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if position % 2 or position == last:
            from_old, from_new = hash_children(sibling, from_old), hash_children(sibling, from_new)
            while not position % 2 and position:
                position, last = position >> 1, last >> 1
        else:
            from_new = hash_children(from_new, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and from_old == old_root and from_new == new_root
