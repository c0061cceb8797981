"""Verifies a whole log from its public files and its public key.

Every entry is hashed; every tile of every level is recomputed and compared; the root must be the signed
one; checkpoints kept from earlier must be prefixes. Whoever holds the log's key can build another log that
verifies by itself: only a checkpoint kept elsewhere (`pinned`) shows that history was rewritten.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from otokura.cli.verify.cosignatures import Witnesses, find_witnessed
from otokura.cli.verify.findings import Code, Report, VerificationError
from otokura.cli.verify.leaves import Numbers, parse_leaf
from otokura.cli.verify.merkle import RollingRoot, hash_leaf, tree_head
from otokura.cli.verify.notes import Checkpoint, VerifierKey, open_checkpoint, parse_vkeys
from otokura.cli.verify.places import (
    WIDTH,
    Place,
    fetch_entries,
    fetch_hashes,
    fetch_note,
    open_place,
    tile_path,
)
from otokura.cli.verify.receipts import verify_receipt

_MAX_FINDINGS = 50
"""Enough to see what happened; a log that is wrong everywhere need not be listed entry by entry."""


def verify_log(
    location: str | Path,
    vkey: str | Sequence[str],
    *,
    pinned: Sequence[str] = (),
    receipts: Sequence[Mapping[str, Any]] = (),
    source_keys: Mapping[str, str] | None = None,
    witnesses: Witnesses | None = None,
) -> Report:
    """Verifies a log. Never raises for what the log contains: the report tells.

    Args:
        location: the log's address (`https://…/log/2026`) or a folder with the same files.
        vkey: the log's public key, obtained from somewhere else than the log; several if it was replaced.
        pinned: checkpoints (signed notes) kept from earlier.
        receipts: entry proofs as the service gives them; each is verified by itself and its checkpoint
            against this log.
        source_keys: by service, base64 of its Ed25519 public key, to check who wrote each receipt's entry.
        witnesses: who must have cosigned the checkpoint, or an earlier one that the log serves beside it.

    Returns:
        The report; `ok` when nothing is wrong.
    """
    report = Report(location=str(location))
    with ExitStack() as stack:
        place = stack.enter_context(open_place(location))
        try:
            keys = parse_vkeys(vkey)
            pins = [open_checkpoint(note, keys) for note in pinned]
            pins += _verify_receipts(report, receipts, vkey, source_keys)
            checkpoint = _fetch_checkpoint(place, keys)
            report.origin, report.size = checkpoint.origin, checkpoint.size
            report.root, report.checkpoint = checkpoint.root, checkpoint.note
            if witnesses is not None:
                pins += _find_witnessed(report, place, keys, checkpoint, witnesses)
            _Walk(place, checkpoint, pins, report).run()
        except VerificationError as error:
            report.findings.append(error.finding)
    return report


def _verify_receipts(
    report: Report,
    receipts: Sequence[Mapping[str, Any]],
    vkey: str | Sequence[str],
    source_keys: Mapping[str, str] | None,
) -> list[Checkpoint]:
    checkpoints: list[Checkpoint] = []
    for receipt in receipts:
        try:
            checkpoints.append(verify_receipt(receipt, vkey, source_keys=source_keys).checkpoint)
            report.receipts += 1
        except VerificationError as error:
            report.findings.append(error.finding)
    return checkpoints


def _fetch_checkpoint(place: Place, keys: Sequence[VerifierKey]) -> Checkpoint:
    note = fetch_note(place, "checkpoint")
    if note is None:
        raise VerificationError(Code.MISSING, "checkpoint", "the log does not serve it")
    return open_checkpoint(note, keys)


def _find_witnessed(
    report: Report,
    place: Place,
    keys: Sequence[VerifierKey],
    checkpoint: Checkpoint,
    witnesses: Witnesses,
) -> list[Checkpoint]:
    """What enough witnesses cosigned must be a prefix of the log, as what was kept from earlier must."""
    try:
        witnessed, cosigned = find_witnessed(place, keys, checkpoint, witnesses)
    except VerificationError as error:
        report.findings.append(error.finding)
        return []
    report.cosigned = [(witnessed.size, each) for each in cosigned]
    return [witnessed]


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

    def extend(self, hashes: Sequence[bytes] | None) -> None:
        if hashes is None or not self.complete:
            self.complete = False
            return
        for leaf in hashes:
            self.rolling.add(leaf)
            if self.rolling.size in self._sizes:
                self.roots[self.rolling.size] = self.rolling.root()
        if len(hashes) == WIDTH:
            self.level_one.append(tree_head(hashes))

    def matches(self, checkpoint: Checkpoint) -> bool:
        return self.complete and self.rolling.root() == checkpoint.root


class _Walk:
    """One pass over the log's files, in memory that does not grow with the entries' bytes."""

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
        for index in range(-(-self._checkpoint.size // WIDTH)):
            self._visit(index)
            if len(self._report.findings) > _MAX_FINDINGS:
                self._report.add(Code.MALFORMED, f"tile {index}", "too much is wrong; the rest was not read")
                break
        else:
            self._judge()
            self._name_differences()
            self._check_pins()
        for source, numbers in sorted(self._numbers.items()):
            self._report.sources[source] = numbers.count
            if holes := numbers.holes():
                self._report.holes[source] = holes

    def _visit(self, index: int) -> None:
        """Reads one bundle and its tile, and compares them."""
        width = min(WIDTH, self._checkpoint.size - index * WIDTH)
        entries = self._attempt(partial(fetch_entries, self._place, index, width))
        served = self._attempt(partial(fetch_hashes, self._place, 0, index, width))
        hashes = None if entries is None else [hash_leaf(entry) for entry in entries]
        self._by_entries.extend(hashes)
        self._by_tiles.extend(served)
        for offset, entry in enumerate(entries or ()):
            self._read_leaf(index * WIDTH + offset, entry)
        if hashes is not None and served is not None and len(self._differences) < _MAX_FINDINGS:
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

    def _read_leaf(self, index: int, entry: bytes) -> None:
        self._report.entries += 1
        leaf = parse_leaf(entry)
        if leaf is None:
            self._report.add(Code.MALFORMED, f"entry {index}", "not a canonical leaf")
        elif not self._numbers.setdefault(leaf.source, Numbers()).add(leaf.seq):
            self._report.add(Code.NUMBER_REPEATED, f"entry {index}", f"{leaf.source} already had {leaf.seq}")

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
            hashes = [tree_head(hashes[at * WIDTH : (at + 1) * WIDTH]) for at in range(full)]
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
            width = min(WIDTH, self._checkpoint.size - index * WIDTH)
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
