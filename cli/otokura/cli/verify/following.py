"""Following a log: each checkpoint must continue the one seen before, which is kept in a file.

Whoever follows a log needs no key of their own and nobody's leave. Followers that compare what they keep are
a defence against an operator who shows each of them another log; one alone sees that its log only grows.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from otokura.cli.verify.consistency import Tiles, check_continues
from otokura.cli.verify.cosignatures import Witnesses, find_witnessed
from otokura.cli.verify.findings import Code, Cosignature, VerificationError
from otokura.cli.verify.newest import catch_up, fetch_checkpoint
from otokura.cli.verify.notes import Checkpoint, VerifierKey, open_checkpoint
from otokura.cli.verify.places import Place


@dataclass
class Kept:
    """What a follower remembers.

    Attributes:
        note: the newest checkpoint seen, as it was signed; empty before the first.
        offsets: by partition of the checkpoints' topic, the next message to look at.
    """

    note: str = ""
    offsets: dict[str, int] = field(default_factory=dict[str, int])

    @classmethod
    def read(cls, path: Path) -> Kept:
        """From its file; nothing kept if there is none.

        Raises:
            ValueError: the file holds something else.
        """
        try:
            value: object = json.loads(path.read_text())
        except FileNotFoundError:
            return cls()
        members = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        note, offsets = members.get("checkpoint"), _offsets(members.get("offsets"))
        if not isinstance(note, str) or offsets is None:
            raise ValueError(f"{path} is not what a follower keeps")
        return cls(note, offsets)

    def write(self, path: Path) -> None:
        """To its file: whole or not at all, and on the disk."""
        text = json.dumps({"checkpoint": self.note, "offsets": self.offsets}, ensure_ascii=False)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _offsets(value: object) -> dict[str, int] | None:
    if not isinstance(value, dict):
        return None
    offsets = cast("dict[str, object]", value)
    return {name: at for name, at in offsets.items() if isinstance(at, int)}


@dataclass(frozen=True)
class Followed:
    """One look at a log: the newest checkpoint, how many others it continues, and who cosigned it."""

    newest: Checkpoint
    continued: int
    cosigned: tuple[int, tuple[Cosignature, ...]]


class Contradiction(Exception):  # noqa: N818 - what a follower is there to find
    """Two checkpoints, both signed by the log, of which not both can be true."""

    def __init__(self, error: VerificationError, notes: Sequence[str]) -> None:
        self.finding = error.finding
        self.notes = tuple(notes)
        super().__init__(str(error))


def follow(
    place: Place,
    keys: Sequence[VerifierKey],
    kept: Kept,
    *,
    others: Sequence[Checkpoint] = (),
    told: Sequence[Checkpoint] = (),
    witnesses: Witnesses | None = None,
) -> Followed:
    """Looks once: what the log serves now must continue what was kept, and agree with all others.

    Args:
        place: the log.
        keys: the log's.
        kept: what was seen before; not changed.
        others: checkpoints of this log that came another way (a bucket, another follower).
        told: checkpoints as they were told on Kafka, where each year's are: those of this log must agree.
        witnesses: who must have cosigned the newest checkpoint, or the one that the log serves beside it.

    Raises:
        Contradiction: the log has forked, or shows less than before.
        VerificationError: anything else that is wrong, or the log cannot be read.
    """
    newest = fetch_checkpoint(place, keys)
    seen = [*others, *(each for each in told if each.origin == newest.origin)]
    cosigned: tuple[int, tuple[Cosignature, ...]] = (0, ())
    if witnesses is not None:
        witnessed, found = find_witnessed(place, keys, newest, witnesses)
        cosigned = (witnessed.size, found)
        seen.append(witnessed)
    if kept.note:
        seen.insert(0, open_checkpoint(kept.note, keys))
    newest = catch_up(place, keys, newest, seen)
    tiles = Tiles(place, newest.size)
    if not seen and tiles.root() != newest.root:
        detail = "the tiles served do not give the signed root"
        raise VerificationError(Code.ROOT_MISMATCH, f"size {newest.size}", detail)
    for each in seen:
        _compare(tiles, each, newest)
    return Followed(newest, len(seen), cosigned)


def _compare(tiles: Tiles, seen: Checkpoint, newest: Checkpoint) -> None:
    try:
        check_continues(tiles, seen, newest)
    except VerificationError as error:
        if error.finding.code in {Code.ROLLED_BACK, Code.FORKED}:
            raise Contradiction(error, (seen.note, newest.note)) from error
        raise
