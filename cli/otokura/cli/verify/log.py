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

from otokura.cli.verify.cosignatures import Witnesses, find_witnessed
from otokura.cli.verify.findings import Report, VerificationError
from otokura.cli.verify.newest import catch_up, fetch_checkpoint
from otokura.cli.verify.notes import Checkpoint, VerifierKey, open_checkpoint, parse_vkeys
from otokura.cli.verify.places import Place, open_place
from otokura.cli.verify.receipts import verify_receipt
from otokura.cli.verify.shards import check_opening
from otokura.cli.verify.walk import Walk


def verify_log(
    location: str | Path,
    vkey: str | Sequence[str],
    *,
    pinned: Sequence[str] = (),
    receipts: Sequence[Mapping[str, Any]] = (),
    source_keys: Mapping[str, str] | None = None,
    witnesses: Witnesses | None = None,
    before: str | Path | None = None,
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
        before: the log of the year before, which must be there then; beside this one when not given.

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
            checkpoint = fetch_checkpoint(place, keys)
            report.origin = checkpoint.origin
            if witnesses is not None:
                pins += _find_witnessed(report, place, keys, checkpoint, witnesses)
            pins += check_opening(report, place, keys, source_keys, before)
            checkpoint = catch_up(place, keys, checkpoint, pins)
            report.size, report.root, report.checkpoint = checkpoint.size, checkpoint.root, checkpoint.note
            Walk(place, checkpoint, pins, report).run()
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
