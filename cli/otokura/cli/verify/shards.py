"""Whether a year's log begins where the year before ended.

The first entry of a log names the last tree of the log before (`opening`, a receipt). It is in the tree that
the checkpoint signs, so a log that was dropped, cut short or rewritten after it was closed contradicts it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from otokura.cli.verify.findings import Code, Report, VerificationError
from otokura.cli.verify.notes import (
    Checkpoint,
    VerifierKey,
    decode_base64,
    make_vkey,
    open_checkpoint,
    parse_vkeys,
)
from otokura.cli.verify.places import Place, fetch_note, open_place
from otokura.cli.verify.receipts import verify_receipt
from otokura.cli.verify.strict_json import strict_object

OPENING = "opening"
_ACTION = "shard.opened"
_WRITER = "audit"
_HASH_BYTES = 32
_YEAR = re.compile("[0-9]{4}")


@dataclass(frozen=True)
class Left:
    """The tree in which the log of the year before was left."""

    origin: str
    size: int
    root: bytes

    @property
    def year(self) -> str:
        """The last part of its name."""
        return self.origin.rpartition("/")[2]


@dataclass(frozen=True)
class Opening:
    """What the first entry of a log says.

    Attributes:
        checkpoint: the one against which the entry is proven; the log must continue it.
        left: the log before, None for the first of all.
    """

    checkpoint: Checkpoint
    left: Left | None


def read_opening(
    place: Place, keys: Sequence[VerifierKey], source_keys: Mapping[str, str] | None
) -> Opening | None:
    """Reads and verifies the first entry; None of a log that was begun before there were any.

    Raises:
        VerificationError: it is there and does not verify.
    """
    data = place.fetch(OPENING)
    if data is None:
        return None
    receipt = strict_object(data, OPENING)
    # Whoever checks receipts of one service may know that service's key only.
    known = source_keys if source_keys and _WRITER in source_keys else None
    verified = verify_receipt(receipt, [str(key) for key in keys], source_keys=known)
    entry = verified.entry or {}
    if verified.leaf.source.partition("/")[0] != _WRITER:
        raise VerificationError(Code.SOURCE_SIGNATURE, OPENING, f"written by {verified.leaf.source}")
    detail = entry.get("detail")
    if verified.index != 0 or entry.get("action") != _ACTION or not isinstance(detail, dict):
        raise VerificationError(Code.MALFORMED, OPENING, "not the first entry of a log")
    members = cast("dict[str, Any]", detail)
    if members.get("origin") != verified.checkpoint.origin:
        raise VerificationError(Code.WRONG_ORIGIN, OPENING, f"opens {members.get('origin')!r}")
    return Opening(verified.checkpoint, _left(members.get("previous")))


def _left(previous: object) -> Left | None:
    if previous is None:
        return None
    members = cast("dict[str, Any]", previous) if isinstance(previous, dict) else {}
    origin, size, root = (members.get(name) for name in ("origin", "size", "root"))
    well_formed = isinstance(origin, str) and isinstance(size, int) and isinstance(root, str)
    if not well_formed or _YEAR.fullmatch(str(origin).rpartition("/")[2]) is None:
        detail = "does not name origin, size and root of the log before"
        raise VerificationError(Code.MALFORMED, OPENING, detail)
    hash_ = decode_base64(str(root), _HASH_BYTES, Code.MALFORMED, OPENING)
    return Left(str(origin), int(cast("int", size)), hash_)


def check_before(before: Place, left: Left, keys: Sequence[VerifierKey]) -> bool:
    """Whether the log before is there; VerificationError when it is not what was left.

    Args:
        before: where it should be.
        left: what the next log says of it.
        keys: of the next log: a key signs each year under that year's name.
    """
    note = fetch_note(before, "checkpoint")
    if note is None:
        return False
    where = f"{left.origin}: checkpoint"
    found = open_checkpoint(note, parse_vkeys([make_vkey(left.origin, key.public) for key in keys]))
    if found.size < left.size:
        detail = f"it was closed with {left.size} entries, and now has {found.size}"
        raise VerificationError(Code.ROLLED_BACK, where, detail)
    if (found.size, found.root) != (left.size, left.root):
        detail = (
            f"it was closed with {left.size} entries and the root {left.root.hex()}, and is not that any more"
        )
        raise VerificationError(Code.HISTORY_REWRITTEN, where, detail)
    return True


def sibling(location: str, year: str) -> str:
    """Where the log of another year lies: beside this one, whether in a folder or at an address."""
    return f"{location.rstrip('/').rpartition('/')[0]}/{year}"


def check_opening(
    report: Report,
    place: Place,
    keys: Sequence[VerifierKey],
    source_keys: Mapping[str, str] | None,
    before: str | Path | None,
) -> list[Checkpoint]:
    """Follows the first entry to the log before, and reports on both.

    Args:
        report: is told.
        place: the log.
        keys: its keys.
        source_keys: by service, base64 of its public key.
        before: where the log before must be; None: it may be beside this one.

    Returns:
        The checkpoint against which the first entry is proven, which the log must continue.
    """
    try:
        opening = read_opening(place, keys, source_keys)
        if opening is not None and opening.left is not None:
            report.before = opening.left.origin
            with open_place(before or sibling(report.location, opening.left.year)) as there:
                report.before_found = check_before(there, opening.left, keys)
    except VerificationError as error:
        report.findings.append(error.finding)
        return []
    if before is not None and not report.before_found:
        report.add(Code.MISSING, str(before), "not the log before, as far as this log tells")
    return [] if opening is None else [opening.checkpoint]
