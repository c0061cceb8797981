"""The Merkle tree of RFC 6962 §2.1 (SHA-256), as arithmetic on ranges of leaves. Nothing here does I/O.

A tree of size n is the list of leaves [0, n). Every hash that a proof or a root needs is the hash of a
range of leaves, and every range falls apart into **perfect** nodes: `Node(height, index)` covers the
2**height leaves from index * 2**height on. Perfect nodes never change once they exist, which is what
makes a log cheap to serve and impossible to edit quietly.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()

TILE_HEIGHT = 8
"""A tile spans eight levels of the tree (C2SP tlog-tiles): 256 hashes wide."""

_LEAF_PREFIX = b"\x00"
_NODE_PREFIX = b"\x01"


@dataclass(frozen=True, slots=True)
class Node:
    """A perfect subtree: the leaves [index << height, (index + 1) << height)."""

    height: int
    index: int


class Span(NamedTuple):
    """A range of leaves, `stop` excluded, that RFC 6962 hashes as one subtree."""

    start: int
    stop: int


def leaf_hash(entry: bytes) -> bytes:
    """The hash of a leaf: SHA-256(0x00 ‖ entry)."""
    return hashlib.sha256(_LEAF_PREFIX + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node: SHA-256(0x01 ‖ left ‖ right)."""
    return hashlib.sha256(_NODE_PREFIX + left + right).digest()


def perfect_root(hashes: Sequence[bytes]) -> bytes:
    """The root over `hashes`, whose number is a power of two."""
    level = list(hashes)
    if not level or len(level) & (len(level) - 1):
        raise ValueError(f"a perfect subtree has a power of two of hashes, not {len(level)}")
    digest = hashlib.sha256
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=True)
        level = [digest(_NODE_PREFIX + left + right).digest() for left, right in pairs]
    return level[0]


def decompose(span: Span) -> list[Node]:
    """The perfect nodes that cover `span`, from left to right.

    `span.start` must be a multiple of the smallest power of two not below its length, as it is for every
    subtree that RFC 6962 splits off; then `fold` of the nodes' hashes is the subtree's hash.
    """
    nodes: list[Node] = []
    start, remaining = span.start, span.stop - span.start
    while remaining:
        height = remaining.bit_length() - 1
        if start & ((1 << height) - 1):
            raise ValueError(f"{span} is not a subtree of any RFC 6962 tree")
        nodes.append(Node(height, start >> height))
        start += 1 << height
        remaining -= 1 << height
    return nodes


def fold(hashes: Sequence[bytes]) -> bytes:
    """Joins the hashes of `decompose` into one: the rightmost are joined first."""
    if not hashes:
        return EMPTY_ROOT
    result = hashes[-1]
    for left in reversed(hashes[:-1]):
        result = node_hash(left, result)
    return result


def inclusion_spans(index: int, size: int) -> list[Span]:
    """The subtrees of the audit path of leaf `index` in a tree of `size`, leaf to root (RFC 6962 §2.1.1)."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    path: list[Span] = []
    start, stop = 0, size
    while stop - start > 1:
        middle = start + _split(stop - start)
        if index < middle:
            path.append(Span(middle, stop))
            stop = middle
        else:
            path.append(Span(start, middle))
            start = middle
    return path[::-1]


def climb(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root that the audit path of leaf `index` leads to."""
    result = leaf
    for span, sibling in zip(inclusion_spans(index, size), path, strict=True):
        result = node_hash(result, sibling) if span.start > index else node_hash(sibling, result)
    return result


def consistency_spans(old: int, new: int) -> list[Span]:
    """The subtrees that prove the tree of `old` to be a prefix of the tree of `new` (RFC 6962 §2.1.2)."""
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {old} is not a prefix of a tree of {new}")
    if old in (0, new):
        return []
    path: list[Span] = []
    start, stop, left_edge = 0, new, True
    while stop != old:
        middle = start + _split(stop - start)
        if old <= middle:
            path.append(Span(middle, stop))
            stop = middle
        else:
            path.append(Span(start, middle))
            start, left_edge = middle, False
    if not left_edge:
        path.append(Span(start, stop))
    return path[::-1]


def _split(size: int) -> int:
    """The largest power of two smaller than `size`."""
    return 1 << ((size - 1).bit_length() - 1)


class Frontier:
    """The right edge of a growing tree: enough to append and to know the root, at most 64 hashes.

    Args:
        size: leaves so far.
        peaks: the hashes of `decompose(Span(0, size))`.
    """

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        if len(peaks) != size.bit_count():
            raise ValueError(f"a tree of {size} has {size.bit_count()} peaks, not {len(peaks)}")
        self.size = size
        self.peaks = list(peaks)

    def append(self, leaf: bytes) -> list[tuple[Node, bytes]]:
        """Adds one leaf hash; returns the nodes it completed that tiles above level 0 hold."""
        return self._join(leaf, 0)

    def _join(self, current: bytes, height: int) -> list[tuple[Node, bytes]]:
        """Adds a perfect node at the right edge; the tree's size is a multiple of the node's."""
        index, added = self.size >> height, 1 << height
        completed = [(Node(height, index), current)] if height and height % TILE_HEIGHT == 0 else []
        while index & 1:
            current = node_hash(self.peaks.pop(), current)
            height, index = height + 1, index >> 1
            if height % TILE_HEIGHT == 0:
                completed.append((Node(height, index), current))
        self.peaks.append(current)
        self.size += added
        return completed

    def extend(self, leaves: Sequence[bytes]) -> list[tuple[Node, bytes]]:
        """Adds leaf hashes, whole tiles level by level: as `append` of each, in half the time."""
        width = 1 << TILE_HEIGHT
        completed: list[tuple[Node, bytes]] = []
        at = 0
        while at < len(leaves):
            if self.size % width or len(leaves) - at < width:
                completed += self.append(leaves[at])
                at += 1
                continue
            completed += self._join(perfect_root(leaves[at : at + width]), TILE_HEIGHT)
            at += width
        return completed

    def root(self) -> bytes:
        """The root hash of the tree as it is."""
        return fold(self.peaks)
