"""Verifies a whole log from its public files and its public key.

Every entry is hashed; every tile of every level is recomputed and compared; the root must be the signed
one; checkpoints kept from earlier must be prefixes. Whoever holds the log's key can build another log that
verifies by itself: only a checkpoint kept elsewhere (`pinned`) shows that history was rewritten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from otokura.cli.verify.findings import Code, Report, VerificationError
from otokura.cli.verify.notes import Checkpoint, VerifierKey, open_checkpoint, parse_vkey
from otokura.cli.verify.places import Folder, Place, Web
from otokura.cli.verify.receipts import verify_receipt
from otokura.cli.verify.shards import check_before, read_opening, sibling
from otokura.cli.verify.walk import Walk


def verify_log(
    location: str | Path,
    vkey: str,
    *,
    pinned: Sequence[str] = (),
    receipts: Sequence[Mapping[str, Any]] = (),
    source_keys: Mapping[str, str] | None = None,
    before: str | Path | None = None,
) -> Report:
    """Verifies a log. Never raises for what the log contains: the report tells.

    Args:
        location: the log's address (`https://…/log/2026`) or a folder with the same files.
        vkey: the log's public key, obtained from somewhere else than the log; several, a line each, when
            keys change: any of them will do.
        pinned: checkpoints (signed notes) kept from earlier.
        receipts: entry proofs as the service gives them; each is verified by itself and its checkpoint
            against this log.
        source_keys: by service, base64 of its Ed25519 public key, to check who wrote each receipt's entry.
        before: the log of the year before, which must be there then; beside this one when not given.

    Returns:
        The report; `ok` when nothing is wrong.
    """
    report = Report(location=str(location))
    with ExitStack() as stack:
        place = _place(stack, location)
        try:
            key = parse_vkey(vkey)
            pins = [open_checkpoint(note, key) for note in pinned]
            pins += _verify_receipts(report, receipts, key, source_keys)
            checkpoint = _fetch_checkpoint(place, key)
            report.origin, report.size = checkpoint.origin, checkpoint.size
            report.root, report.checkpoint = checkpoint.root, checkpoint.note
            pins += _follow(stack, report, place, key, source_keys, before)
            Walk(place, checkpoint, pins, report).run()
        except VerificationError as error:
            report.findings.append(error.finding)
    return report


def _place(stack: ExitStack, location: str | Path) -> Place:
    if str(location).startswith(("http://", "https://")):
        return stack.enter_context(Web(str(location)))
    return Folder(Path(location))


def _follow(
    stack: ExitStack,
    report: Report,
    place: Place,
    key: VerifierKey,
    source_keys: Mapping[str, str] | None,
    before: str | Path | None,
) -> list[Checkpoint]:
    """Follows the first entry to the log before; the checkpoint against which that entry is proven."""
    try:
        opening = read_opening(place, key, source_keys)
        if opening is not None and opening.left is not None:
            report.before = opening.left.origin
            where = before or sibling(report.location, opening.left.year)
            report.before_found = check_before(_place(stack, where), opening.left, key)
    except VerificationError as error:
        report.findings.append(error.finding)
        return []
    if before is not None and not report.before_found:
        report.add(Code.MISSING, str(before), "not the log before, as far as this log tells")
    return [] if opening is None else [opening.checkpoint]


def _verify_receipts(
    report: Report,
    receipts: Sequence[Mapping[str, Any]],
    key: VerifierKey,
    source_keys: Mapping[str, str] | None,
) -> list[Checkpoint]:
    checkpoints: list[Checkpoint] = []
    for receipt in receipts:
        try:
            checkpoints.append(verify_receipt(receipt, str(key), source_keys=source_keys).checkpoint)
            report.receipts += 1
        except VerificationError as error:
            report.findings.append(error.finding)
    return checkpoints


def _fetch_checkpoint(place: Place, key: VerifierKey) -> Checkpoint:
    data = place.fetch("checkpoint")
    if data is None:
        raise VerificationError(Code.MISSING, "checkpoint", "the log does not serve it")
    try:
        note = data.decode()
    except UnicodeDecodeError as error:
        raise VerificationError(Code.MALFORMED, "checkpoint", "not UTF-8") from error
    return open_checkpoint(note, key)
