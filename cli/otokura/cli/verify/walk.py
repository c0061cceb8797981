"""One pass over a log's files: entries and tiles of level 0 side by side, then the tiles above them.

A million entries are ten seconds' work at most, in memory that does not grow with them but for the hash of
each full tile: whole tiles are hashed level by level, and what entries and tiles agree on is hashed once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial

from otokura.cli.verify.ahead import in_order
from otokura.cli.verify.findings import Code, Report, VerificationError
from otokura.cli.verify.leaves import Numbers, read_number
from otokura.cli.verify.merkle import RollingRoot, hash_leaves, tile_head, tree_head
from otokura.cli.verify.notes import Checkpoint
from otokura.cli.verify.places import (
    WIDTH,
    Place,
    fetch_hashes,
    fetch_tile,
    read_entries,
    read_hashes,
    tile_path,
)

_MAX_FINDINGS = 50
"""Enough to see what happened; a log that is wrong everywhere need not be listed entry by entry."""


class _Tree:
    """The tree as one kind of file gives it: from the entries, or from the tiles of level 0."""

    def __init__(self, pins: Sequence[Checkpoint]) -> None:
        self.rolling = RollingRoot()
        self.level_one: list[bytes] = []
        self.roots: dict[int, bytes] = {}
        self.complete = True
        self._sizes = {pin.size for pin in pins}
        if 0 in self._sizes:
            self.roots[0] = tree_head(())

    def extend(self, hashes: Sequence[bytes] | None, head: bytes | None) -> None:
        """Adds a tile's hashes; `head` is the root over them if there are as many as can be."""
        if hashes is None or not self.complete:
            self.complete = False
            return
        if head is not None:
            self.level_one.append(head)
            inside = range(self.rolling.size + 1, self.rolling.size + WIDTH)
            if self._sizes.isdisjoint(inside):
                self._add(head, WIDTH)
                return
        for leaf in hashes:
            self._add(leaf, 1)

    def _add(self, head: bytes, width: int) -> None:
        self.rolling.add(head, width)
        if self.rolling.size in self._sizes:
            self.roots[self.rolling.size] = self.rolling.root()

    def matches(self, checkpoint: Checkpoint) -> bool:
        return self.complete and self.rolling.root() == checkpoint.root


class Walk:
    """See the module; `run` once."""

    def __init__(
        self, place: Place, checkpoint: Checkpoint, pins: Sequence[Checkpoint], report: Report
    ) -> None:
        self._place = place
        self._checkpoint = checkpoint
        self._pins = pins
        self._report = report
        self._by_entries = _Tree(pins)
        self._by_tiles = _Tree(pins)
        self._differences: list[tuple[int, int]] = []
        self._numbers: dict[str, Numbers] = {}

    def run(self) -> None:
        """Reads everything; what is wrong is in the report then.

        Raises:
            VerificationError: a file could not be read, which says nothing about the log.
        """
        count = -(-self._checkpoint.size // WIDTH)
        with closing(in_order(self._fetches(count), self._place.threads)) as files:
            for index in range(count):
                self._visit(index, next(files), next(files))
                if len(self._report.findings) > _MAX_FINDINGS:
                    detail = "too much is wrong; the rest was not read"
                    self._report.add(Code.MALFORMED, f"tile {index}", detail)
                    break
            else:
                self._judge()
                self._name_differences()
                self._check_pins()
        for source, numbers in sorted(self._numbers.items()):
            self._report.sources[source] = numbers.count
            if holes := numbers.holes():
                self._report.holes[source] = holes

    def _width(self, index: int) -> int:
        return min(WIDTH, self._checkpoint.size - index * WIDTH)

    def _fetches(self, count: int) -> Iterator[Callable[[], bytes]]:
        """Each bundle, and after it the tile over it."""
        for index in range(count):
            yield partial(fetch_tile, self._place, "entries", index, self._width(index))
            yield partial(fetch_tile, self._place, 0, index, self._width(index))

    def _visit(self, index: int, bundle: Callable[[], bytes], tile: Callable[[], bytes]) -> None:
        """Reads one bundle and its tile, and compares them."""
        width = self._width(index)
        entries = self._attempt(lambda: read_entries(bundle(), index, width))
        served = self._attempt(lambda: read_hashes(tile(), 0, index, width))
        hashes = None if entries is None else hash_leaves(entries)
        head = tile_head(hashes) if hashes is not None and width == WIDTH else None
        self._by_entries.extend(hashes, head)
        if served == hashes:
            self._by_tiles.extend(served, head)
        else:
            self._by_tiles.extend(served, tile_head(served) if served and width == WIDTH else None)
        self._read_leaves(index * WIDTH, entries or ())
        if hashes != served and hashes and served and len(self._differences) < _MAX_FINDINGS:
            pairs = enumerate(zip(hashes, served, strict=True))
            self._differences += [(index, at) for at, (ours, theirs) in pairs if ours != theirs]

    def _attempt(self, fetch: Callable[[], list[bytes]]) -> list[bytes] | None:
        try:
            return fetch()
        except VerificationError as error:
            if error.finding.code is Code.UNREADABLE:
                raise
            self._report.findings.append(error.finding)
            return None

    def _read_leaves(self, first: int, entries: Sequence[bytes]) -> None:
        self._report.entries += len(entries)
        for index, entry in enumerate(entries, first):
            found = read_number(entry)
            if found is None:
                self._report.add(Code.MALFORMED, f"entry {index}", "not a canonical leaf")
                continue
            source, seq = found
            numbers = self._numbers.get(source)
            if numbers is None:
                numbers = self._numbers[source] = Numbers()
            if not numbers.add(seq):
                self._report.add(Code.NUMBER_REPEATED, f"entry {index}", f"{source} already had {seq}")

    def _judge(self) -> None:
        """The root decides whom to believe; then the tiles above level 0 are compared."""
        if not (self._by_entries.matches(self._checkpoint) or self._by_tiles.matches(self._checkpoint)):
            ours = self._by_entries.rolling.root().hex() if self._by_entries.complete else "incomplete"
            detail = f"the entries give {ours}, the checkpoint says {self._checkpoint.root.hex()}"
            self._report.add(Code.ROOT_MISMATCH, f"size {self._checkpoint.size}", detail)
        hashes = self._believed().level_one
        level = 1
        while hashes:
            self._check_level(level, hashes)
            full = len(hashes) // WIDTH
            hashes = [tile_head(hashes[at * WIDTH : (at + 1) * WIDTH]) for at in range(full)]
            level += 1

    def _believed(self) -> _Tree:
        tiles_alone = self._by_tiles.matches(self._checkpoint) and not self._by_entries.matches(
            self._checkpoint
        )
        return self._by_tiles if tiles_alone else self._by_entries

    def _check_level(self, level: int, hashes: Sequence[bytes]) -> None:
        for index in range(-(-len(hashes) // WIDTH)):
            expected = hashes[index * WIDTH : (index + 1) * WIDTH]
            served = self._attempt(partial(fetch_hashes, self._place, level, index, len(expected)))
            if served is not None and served != list(expected):
                at = next(
                    i for i, pair in enumerate(zip(expected, served, strict=True)) if pair[0] != pair[1]
                )
                path = tile_path(level, index, len(expected))
                self._report.add(Code.TILE_ALTERED, path, f"hash {at} is not that of the entries beneath it")

    def _name_differences(self) -> None:
        """Where entries and tiles disagree, says which of the two the signed root contradicts."""
        entries_true = self._by_entries.matches(self._checkpoint)
        tiles_true = self._by_tiles.matches(self._checkpoint)
        for index, at in self._differences[:_MAX_FINDINGS]:
            width = self._width(index)
            if not tiles_true:
                self._report.add(
                    Code.TILE_ALTERED, tile_path(0, index, width), f"hash {at} is not that of its entry"
                )
            if not entries_true:
                detail = f"entry {index * WIDTH + at} does not have the hash that its tile holds"
                self._report.add(Code.ENTRY_ALTERED, tile_path("entries", index, width), detail)

    def _check_pins(self) -> None:
        for pin in self._pins:
            where = f"checkpoint of {pin.size}"
            root = self._believed().roots.get(pin.size)
            if pin.size > self._checkpoint.size:
                detail = f"the log now has only {self._checkpoint.size} entries"
                self._report.add(Code.ROLLED_BACK, where, detail)
            elif root == pin.root:
                self._report.pinned += 1
            elif root is not None:
                detail = f"the first {pin.size} entries now hash to {root.hex()}, then to {pin.root.hex()}"
                self._report.add(Code.HISTORY_REWRITTEN, where, detail)
