"""Whether a year's log begins where the year before ended.

The first entry of a log names the last tree of the log before (`opening`, a receipt). It is in the tree that
the checkpoint signs, so a log that was dropped, cut short or rewritten after it was closed contradicts it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from otokura.cli.verify.findings import Code, VerificationError
from otokura.cli.verify.notes import (
    Checkpoint,
    VerifierKey,
    decode_base64,
    make_vkey,
    open_checkpoint,
    parse_vkey,
)
from otokura.cli.verify.places import Place
from otokura.cli.verify.receipts import verify_receipt

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


def read_opening(place: Place, key: VerifierKey, source_keys: Mapping[str, str] | None) -> Opening | None:
    """Reads and verifies the first entry; None of a log that was begun before there were any.

    Raises:
        VerificationError: it is there and does not verify.
    """
    data = place.fetch(OPENING)
    if data is None:
        return None
    try:
        receipt: object = json.loads(data)
    except ValueError as error:
        raise VerificationError(Code.MALFORMED, OPENING, "not JSON") from error
    if not isinstance(receipt, dict):
        raise VerificationError(Code.MALFORMED, OPENING, "not a receipt")
    # Whoever checks receipts of one service may know that service's key only.
    known = source_keys if source_keys and _WRITER in source_keys else None
    verified = verify_receipt(cast("dict[str, Any]", receipt), str(key), source_keys=known)
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


def check_before(before: Place, left: Left, key: VerifierKey) -> bool:
    """Whether the log before is there; VerificationError when it is not what was left.

    Args:
        before: where it should be.
        left: what the next log says of it.
        key: of the next log, with its others: a key signs each year under that year's name.
    """
    data = before.fetch("checkpoint")
    where = f"{left.origin}: checkpoint"
    if data is None:
        return False
    renamed = parse_vkey("\n".join(make_vkey(left.origin, each.public) for each in (key, *key.also)))
    try:
        found = open_checkpoint(data.decode(), renamed)
    except UnicodeDecodeError as error:
        raise VerificationError(Code.MALFORMED, where, "not UTF-8") from error
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
