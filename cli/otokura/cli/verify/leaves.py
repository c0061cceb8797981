"""What stands in a leaf, and whether each source's numbers are all there.

A leaf is the canonical JSON of `{v, source, seq, time, commitment}`: public and harmless. `commitment` is
SHA-256(salt ‖ canonical detail), so a leaf tells nothing about the entry and yet binds every word of it.
"""

from __future__ import annotations

import hashlib
import json
import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from otokura.cli.verify.canonical import canonical_json

VERSION = 1
SALT_BYTES = 16

_COMMITMENT = re.compile(r"[0-9a-f]{64}")
_MEMBERS = {"v", "source", "seq", "time", "commitment"}


@dataclass(frozen=True)
class Leaf:
    """A leaf's members."""

    source: str
    seq: int
    time: str
    commitment: str

    def encode(self) -> bytes:
        """The bytes that the log hashes."""
        members = {"v": VERSION, "source": self.source, "seq": self.seq, "time": self.time}
        return canonical_json({**members, "commitment": self.commitment})


def commit(salt: bytes, recorded: Mapping[str, Any]) -> str:
    """The commitment to an entry, in hex: SHA-256(salt ‖ canonical JSON of all of it, signature too)."""
    return hashlib.sha256(salt + canonical_json(dict(recorded))).hexdigest()


def parse_leaf(data: bytes) -> Leaf | None:
    """Reads a leaf; None unless it is exactly what `Leaf.encode` writes."""
    try:
        decoded = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(decoded, dict):
        return None
    members = cast("dict[str, Any]", decoded)
    if set(members) != _MEMBERS or members["v"] != VERSION or not _typed(members):
        return None
    leaf = Leaf(members["source"], members["seq"], members["time"], members["commitment"])
    try:
        return leaf if leaf.encode() == data else None
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can escape and UTF-8 cannot hold
        return None


_PLAIN = re.compile(
    rb'\{"commitment":"[0-9a-f]{64}","seq":([1-9][0-9]{0,14}),"source":"([ !#-\[\]-~]*)",'
    rb'"time":"[ !#-\[\]-~]*","v":1\}'
)
"""A leaf whose texts need no escapes and whose number is exact in a double: canonical as it stands."""


def read_number(data: bytes) -> tuple[str, int] | None:
    """Source and number of a leaf; None unless it is exactly what `Leaf.encode` writes."""
    match = _PLAIN.fullmatch(data)
    if match is not None:
        return match[2].decode(), int(match[1])
    leaf = parse_leaf(data)
    return None if leaf is None else (leaf.source, leaf.seq)


def _typed(members: Mapping[str, Any]) -> bool:
    seq, commitment = members["seq"], members["commitment"]
    return (
        isinstance(members["source"], str)
        and isinstance(members["time"], str)
        and isinstance(seq, int)
        and not isinstance(seq, bool)
        and 0 < seq < 1 << 53
        and isinstance(commitment, str)
        and _COMMITMENT.fullmatch(commitment) is not None
    )


class Numbers:
    """The numbers of one source: how many, which are missing between the first and the last, which repeat.

    Missing numbers are kept as runs, at most one for each number that was added: a hostile log that jumps
    from 1 to the largest number costs no more than an honest one.
    """

    def __init__(self) -> None:
        self.count = 0
        self._first = 0
        self._last = 0
        self._missing: list[tuple[int, int]] = []

    def add(self, seq: int) -> bool:
        """Notes a number; False when it was there before. Sources may be out of order."""
        self.count += 1
        if self.count == 1:
            self._first = self._last = seq
        elif seq > self._last:
            if seq > self._last + 1:
                self._missing.append((self._last + 1, seq - 1))
            self._last = seq
        elif seq < self._first:
            if seq < self._first - 1:
                self._missing.insert(0, (seq + 1, self._first - 1))
            self._first = seq
        else:
            return self._fill(seq)
        return True

    def _fill(self, seq: int) -> bool:
        at = bisect_right(self._missing, seq, key=lambda run: run[0]) - 1
        if at < 0 or self._missing[at][1] < seq:
            return False
        first, last = self._missing[at]
        parts = ((first, seq - 1), (seq + 1, last))
        self._missing[at : at + 1] = [run for run in parts if run[0] <= run[1]]
        return True

    def holes(self) -> list[tuple[int, int]]:
        """First and last of each run of missing numbers."""
        return list(self._missing)
