"""`otokura verify`: the verifier, for people and scripts."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from otokura.cli.verify.erasures import Erased, verify_erasure
from otokura.cli.verify.evidence_command import evidence
from otokura.cli.verify.findings import Report, VerificationError
from otokura.cli.verify.follow_command import follow_log
from otokura.cli.verify.log import verify_log
from otokura.cli.verify.notes import make_vkey
from otokura.cli.verify.options import (
    WRONG,
    AsJson,
    Keys,
    Quorum,
    SourceKeys,
    Witnessing,
    give_up,
    read_keys,
    read_object,
    read_source_keys,
    read_vkeys,
    read_witnesses,
    refuse,
)
from otokura.cli.verify.receipt_command import receipt


class _Verifying(TyperGroup):
    """`otokura verify` alone, or with what is no command, verifies a log."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] != "--help"):
            args = ["log", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_Verifying,
    help="Verify with public keys alone what Otokura says: a log (without a command), a receipt, an erasure, "
    "evidence.",
)
app.command("receipt")(receipt)
app.command("follow")(follow_log)
app.command()(evidence)


@app.command("log")
def verify(  # noqa: PLR0913, PLR0917 - options of a command
    location: Annotated[
        str | None,
        typer.Argument(
            help="The log: https://…/log/<year>, or a folder with its files; the local one if not given."
        ),
    ] = None,
    key: Keys = None,
    before: Annotated[
        str | None,
        typer.Option(
            help="The log of the year before, which must be there then; it is looked for beside this one."
        ),
    ] = None,
    pin: Annotated[
        list[Path] | None, typer.Option(help="A checkpoint kept from earlier; may be given several times.")
    ] = None,
    receipt: Annotated[
        list[Path] | None,
        typer.Option(help="A receipt to verify against the log; may be given several times."),
    ] = None,
    source_keys: SourceKeys = None,
    witness: Witnessing = None,
    quorum: Quorum = None,
    save: Annotated[Path | None, typer.Option(help="Keep the checkpoint here, to pin it next time.")] = None,
    as_json: AsJson = False,
    data: Annotated[Path, typer.Option(help="The data folder of the local Otokura.")] = Path(".otokura"),
) -> None:
    """Verify an audit log with public keys alone.

    Every entry is hashed, every tile recomputed, the root compared with the signed checkpoint. Exits 1 when
    anything is wrong, 2 when the verification cannot be begun.
    """
    try:
        if location is None:
            location, local_key = _local_log(data)
            key = key or [local_key]
        keys = read_keys(key, location)
        pins, receipts = (
            [path.read_text() for path in pin or ()],
            [read_object(each) for each in receipt or ()],
        )
        services, witnesses = read_source_keys(source_keys), read_witnesses(witness, quorum)
    except (OSError, ValueError, VerificationError) as error:
        raise give_up(error) from None
    report = verify_log(
        location,
        keys,
        pinned=pins,
        receipts=receipts,
        source_keys=services,
        witnesses=witnesses,
        before=before,
    )
    if as_json:
        typer.echo(json.dumps(summarise(report), ensure_ascii=False))
    else:
        typer.echo("\n".join(describe(report)))
    if not report.ok:
        raise typer.Exit(WRONG)
    if save is not None:
        save.write_text(report.checkpoint)


@app.command()
def erasure(
    file: Annotated[Path, typer.Argument(help="The certificate, as the audit service gave it.")],
    key: Annotated[
        list[str],
        typer.Option(help="A log's public key (vkey), or a file that holds it; one for each year."),
    ],
    source_keys: Annotated[Path, typer.Option(help="JSON {service: base64 public key}.")],
    as_json: AsJson = False,
    final: Annotated[bool, typer.Option(help="Exit 1 also as long as the erasure is not final.")] = False,
) -> None:
    """Verify a certificate of erasure, offline.

    Its signature, each entry's proof of inclusion and signature, and that it says what the entries say. Exits
    1 when anything is wrong, 2 when the verification cannot be begun.
    """
    try:
        certificate, services = read_object(file), read_source_keys(source_keys)
        logs = read_vkeys(key)
    except (OSError, ValueError) as error:
        raise give_up(error) from None
    try:
        erased = verify_erasure(certificate, logs, services or {})
    except VerificationError as error:
        raise refuse(error, as_json=as_json) from None
    typer.echo(json.dumps({"ok": True, **asdict(erased)}) if as_json else "\n".join(describe_erasure(erased)))
    if final and erased.final_at is None:
        raise typer.Exit(WRONG)


def describe_erasure(erased: Erased) -> Sequence[str]:
    """What a certificate proves, in lines for people."""
    lines = [
        f"  erased    {erased.kind} {erased.call_id}",
        f"  by        {', '.join(erased.services)}",
        f"  shredded  {erased.shredded_at}",
        f"  confirmed {erased.erased_at}",
    ]
    if erased.final_at is not None:
        lines.append(f"  final     {erased.final_at}: no copy of a key opens any more")
    elif erased.kind == "call":
        lines.append(f"  not final: these keys still exist: {', '.join(erased.pending) or 'unknown'}")
    return [*lines, "Verified."]


def _local_log(data: Path) -> tuple[str, str]:
    """This year's log of the Otokura that runs on a folder: its address, and its key as the folder has it."""
    try:
        log: dict[str, Any] = json.loads((data / "log.json").read_text())
    except FileNotFoundError:
        raise ValueError(f"no Otokura runs on {data}: say where the log is, or give --data") from None
    year = datetime.now(UTC).year
    return f"{log['url']}/{year}", make_vkey(f"{log['origin']}/{year}", base64.b64decode(log["public_key"]))


def summarise(report: Report) -> Mapping[str, Any]:
    """The report as JSON: `ok`, the checkpoint, counts, and each finding by name."""
    return {
        "ok": report.ok,
        "location": report.location,
        "origin": report.origin,
        "size": report.size,
        "root": report.root.hex(),
        "entries": report.entries,
        "pinned": report.pinned,
        "receipts": report.receipts,
        "cosigned": [{"size": size, "name": each.name, "at": each.at} for size, each in report.cosigned],
        "sources": report.sources,
        "holes": report.holes,
        "before": report.before,
        "before_found": report.before_found,
        "findings": [{"code": f.code, "where": f.where, "detail": f.detail} for f in report.findings],
    }


def describe(report: Report) -> Sequence[str]:
    """The report in lines for people."""
    lines = [f"{report.location}", f"  log       {report.origin or 'unknown'}"]
    lines.append(f"  entries   {report.entries} read, {report.size} signed")
    lines.append(f"  root      {report.root.hex() or 'unknown'}")
    lines.append(f"  sources   {len(report.sources)}")
    if report.pinned or report.receipts:
        lines.append(f"  receipts  {report.receipts}; earlier checkpoints that still hold: {report.pinned}")
    lines += [f"  witness   {each} saw the tree of {size}" for size, each in report.cosigned]
    if report.before:
        found = "is there, as it was closed" if report.before_found else "is not here, or not what it was"
        lines.append(f"  before    {report.before}: {found}")
    for source, runs in report.holes.items():
        spans = ", ".join(f"{first}-{last}" if first != last else str(first) for first, last in runs)
        lines.append(f"  note      {source}: numbers {spans} are not here (yet)")
    lines += [f"  WRONG     {finding}" for finding in report.findings]
    lines.append("Verified." if report.ok else f"NOT verified: {len(report.findings)} finding(s).")
    return lines
