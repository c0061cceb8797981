"""`otokura verify export`: every line of an export, offline."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from otokura.cli.verify.exports import verify_export
from otokura.cli.verify.findings import VerificationError
from otokura.cli.verify.options import (
    AsJson,
    Keys,
    SourceKeys,
    give_up,
    read_keys,
    read_source_keys,
    refuse,
)


def export(
    file: Annotated[Path, typer.Argument(help="An export of entries, JSON Lines or CSV.")],
    key: Keys = None,
    source_keys: SourceKeys = None,
    as_json: AsJson = False,
) -> None:
    """Verify an export of the log, offline: every line is in the tree, and says what was committed to.

    Exits 1 when anything is wrong, 2 when the verification cannot be begun.
    """
    try:
        keys, services = read_keys(key, None), read_source_keys(source_keys)
        file.open("rb").close()
    except (OSError, ValueError, VerificationError) as error:
        raise give_up(error) from None
    try:
        found = verify_export(file, keys, source_keys=services)
    except UnicodeDecodeError as error:
        raise give_up(error) from None
    except VerificationError as error:
        raise refuse(error, as_json=as_json) from None
    if as_json:
        typer.echo(json.dumps({"ok": True, **asdict(found)}))
        return
    typer.echo(f"  log       {found.origin}, {found.size} signed")
    typer.echo(f"  entries   {found.entries}, of {found.removed} the detail is gone or held back")
    if found.removed:
        typer.echo("  unknown   who and what stands in their lines: that is the exporter's word")
    typer.echo(f"  tenant    {found.tenant_id or 'none'}")
    typer.echo("Verified: each line is in the log. Whether lines are left out, an export cannot prove.")
