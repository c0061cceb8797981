"""What the commands of the verifier have in common: how keys, witnesses and files are given."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from otokura.cli.verify.cosignatures import Witnesses
from otokura.cli.verify.findings import VerificationError
from otokura.cli.verify.notes import parse_vkey
from otokura.cli.verify.places import fetch_note, open_place
from otokura.cli.verify.strict_json import strict_object

WRONG, CANNOT_BEGIN = 1, 2
"""Exit codes: something does not verify; nothing was verified."""

Keys = Annotated[
    list[str] | None,
    typer.Option(
        "--key",
        help="The log's public key (vkey), or a file that holds some, one a line. From elsewhere than the "
        "log. May be given several times: a key may have been replaced, each year has its own.",
    ),
]
SourceKeys = Annotated[
    Path | None, typer.Option(help="JSON {service: base64 public key}: checks who wrote each entry.")
]
Witnessing = Annotated[
    list[str] | None,
    typer.Option(
        "--witness",
        help="The public key (vkey) of a witness that must have cosigned, or a file of them. Several times.",
    ),
]
Quorum = Annotated[
    int | None, typer.Option(help="How many of the witnesses are enough; all of them if not given.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object from a file, in which no member stands twice.

    Raises:
        ValueError: it holds something else.
    """
    try:
        return strict_object(path.read_bytes(), str(path))
    except VerificationError as error:
        raise ValueError(str(error)) from error


def read_source_keys(path: Path | None) -> dict[str, str] | None:
    """By service, base64 of its public key; None when no file is given."""
    if path is None:
        return None
    found = read_object(path)
    if not all(isinstance(key, str) for key in found.values()):
        raise ValueError(f"{path} does not hold a public key in base64 for each service")
    return found


def read_vkeys(given: Sequence[str]) -> list[str]:
    """The vkeys given, those in files among them: one a line, `#` before a remark."""
    found: list[str] = []
    for each in given:
        text = Path(each).read_text() if "+" not in each or Path(each).is_file() else each
        found += [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return found


def read_keys(given: Sequence[str] | None, location: str | None) -> list[str]:
    """The log's keys as given, or with a warning the one that the log itself serves.

    Raises:
        VerificationError: one of them is no log's key.
    """
    keys = read_vkeys(given or ())
    if not keys:
        keys = [_served_key(location)]
    return [str(parse_vkey(key)) for key in keys]


def _served_key(location: str | None) -> str:
    if location is None or not location.startswith(("http://", "https://")):
        raise ValueError("--key is needed: it must come from elsewhere than what is verified")
    sys.stderr.write(
        "Warning: the key comes from the log itself; a forged log would bring its own. Use --key.\n"
    )
    with open_place(location) as place:
        key = fetch_note(place, "key")
    if key is None:
        raise ValueError("the log serves no key")
    return key


def read_witnesses(given: Sequence[str] | None, quorum: int | None) -> Witnesses | None:
    """The witnesses that must have cosigned; None when none are given."""
    if not given:
        if quorum is not None:
            raise ValueError("--quorum says how many of the witnesses are enough: name them with --witness")
        return None
    return Witnesses.parse(read_vkeys(given), quorum)


def give_up(error: Exception) -> typer.Exit:
    """Says why nothing was verified."""
    typer.echo(f"Cannot begin: {error}", err=True)
    return typer.Exit(CANNOT_BEGIN)


def refuse(error: VerificationError, *, as_json: bool) -> typer.Exit:
    """Says what does not verify."""
    found = error.finding
    wrong = {"ok": False, "code": found.code, "where": found.where, "detail": found.detail}
    typer.echo(json.dumps(wrong) if as_json else f"  WRONG     {found}\nNOT verified.")
    return typer.Exit(WRONG)
