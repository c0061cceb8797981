"""`otokura verify receipt`: one entry and its place in the log, offline."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from otokura.cli.verify.cosignatures import Witnesses
from otokura.cli.verify.findings import Cosignature, VerificationError
from otokura.cli.verify.notes import Checkpoint
from otokura.cli.verify.options import (
    AsJson,
    Keys,
    Quorum,
    SourceKeys,
    Witnessing,
    give_up,
    read_keys,
    read_object,
    read_source_keys,
    read_witnesses,
    refuse,
)
from otokura.cli.verify.receipts import PROOF_HEADER, Verified, verify_inclusion, verify_receipt

_MAX_FILE_BYTES = 1 << 22
_MAX_ENTRY_BYTES = 65_535


@dataclass(frozen=True)
class _Proved:
    """What was proved of a file, whichever of the two kinds it is."""

    index: int
    checkpoint: Checkpoint
    cosigned: tuple[Cosignature, ...]
    receipt: Verified | None


def receipt(
    file: Annotated[Path, typer.Argument(help="A receipt (JSON), or a proof (.tlog-proof) with --entry.")],
    key: Keys = None,
    entry: Annotated[
        Path | None, typer.Option(help="The leaf that a .tlog-proof is about, byte by byte.")
    ] = None,
    source_keys: SourceKeys = None,
    witness: Witnessing = None,
    quorum: Quorum = None,
    as_json: AsJson = False,
) -> None:
    """Verify a receipt, offline: with public keys alone, and without the log.

    Exits 1 when anything is wrong, 2 when the verification cannot be begun.
    """
    try:
        text = _read_text(file)
        keys = read_keys(key, None)
        services = read_source_keys(source_keys)
        witnesses = read_witnesses(witness, quorum)
        leaf = None if entry is None else _read_leaf(entry)
        members = None if text.startswith(PROOF_HEADER) else read_object(file)
        if members is None and leaf is None:
            raise ValueError("a .tlog-proof says nothing of its entry: give the leaf with --entry")  # noqa: TRY301
    except (OSError, ValueError, VerificationError) as error:
        raise give_up(error) from None
    try:
        if members is None:
            proved = _prove_leaf(leaf or b"", text, keys, witnesses)
        else:
            found = verify_receipt(members, keys, source_keys=services, witnesses=witnesses)
            proved = _Proved(found.index, found.checkpoint, found.cosigned, found)
    except VerificationError as error:
        raise refuse(error, as_json=as_json) from None
    checked = services is not None
    typer.echo(json.dumps(_summarise(proved)) if as_json else "\n".join(_describe(proved, sources=checked)))


def _read_text(file: Path) -> str:
    with file.open("rb") as opened:
        data = opened.read(_MAX_FILE_BYTES + 1)
    if len(data) > _MAX_FILE_BYTES:
        raise ValueError(f"{file} is larger than any receipt")
    return data.decode()


def _read_leaf(file: Path) -> bytes:
    with file.open("rb") as opened:
        data = opened.read(_MAX_ENTRY_BYTES + 1)
    if len(data) > _MAX_ENTRY_BYTES:
        raise ValueError(f"{file} is larger than any entry of a log")
    return data


def _prove_leaf(leaf: bytes, text: str, keys: Sequence[str], witnesses: Witnesses | None) -> _Proved:
    index, checkpoint = verify_inclusion(leaf, text, keys)
    cosigned = () if witnesses is None else witnesses.require(checkpoint)
    return _Proved(index, checkpoint, cosigned, None)


def _summarise(proved: _Proved) -> dict[str, Any]:
    checkpoint, found = proved.checkpoint, proved.receipt
    return {
        "ok": True,
        "origin": checkpoint.origin,
        "index": proved.index,
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
        "cosigned": [asdict(each) for each in proved.cosigned],
        "leaf": None if found is None else asdict(found.leaf),
        "entry": None if found is None else found.entry,
    }


def _describe(proved: _Proved, *, sources: bool) -> Sequence[str]:
    """What was checked, and what nobody can know from this alone."""
    checkpoint, found = proved.checkpoint, proved.receipt
    lines = [f"  log       {checkpoint.origin}", f"  place     entry {proved.index} of {checkpoint.size}"]
    checked = ["the log signed a tree of this size and root", "the entry is in that tree, at that place"]
    unknown: list[str] = []
    if found is not None:
        lines.append(f"  leaf      number {found.leaf.seq} of {found.leaf.source}, {found.leaf.time}")
        if found.entry is None:
            unknown.append("what the entry said: its detail was deleted, or is not in the receipt")
        else:
            lines.append(f"  entry     {json.dumps(found.entry, ensure_ascii=False)}")
            checked.append("the leaf commits to every word of the entry")
            writer = "that the service named in it wrote it"
            (checked if sources else unknown).append(writer if sources else f"{writer} (--source-keys)")
    if proved.cosigned:
        checked.append(f"witnesses saw that tree: {', '.join(map(str, proved.cosigned))}")
    else:
        unknown.append("whether others are shown the same log (--witness, or verify the log with --receipt)")
    lines += [f"  checked   {each}" for each in checked]
    lines += [f"  unknown   {each}" for each in unknown]
    return [*lines, "Verified."]
