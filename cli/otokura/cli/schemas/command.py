"""`otokura schemas`: the events as documents, for whoever generates code or checks what they send."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
import yaml

from otokura.cli.schemas.asyncapi import document
from otokura.cli.schemas.compatible import breaks
from otokura.cli.schemas.events import event_types

DOCUMENT = "asyncapi.yaml"
FOLDER = "schemas"
_HEAD = "# Made by `make schemas` from the models in shared/otokura/shared; do not edit.\n"


def documents() -> dict[str, str]:
    """File → content, of everything that is published about events."""
    types = event_types()
    made = {
        f"{FOLDER}/{one.file}": json.dumps(one.schema(), indent=2, ensure_ascii=False) + "\n" for one in types
    }
    text = yaml.safe_dump(document(types), sort_keys=False, allow_unicode=True, width=120)
    return made | {DOCUMENT: _HEAD + text}


def incompatible(folder: Path) -> list[str]:
    """What the models break of the schemas in a folder: those that were published before."""
    found: list[str] = []
    now = {one.file: one.schema() for one in event_types()}
    for path in sorted((folder / FOLDER).glob("*.json")):
        if path.name not in now:
            found.append(f"{path.stem}: the type is gone")
            continue
        before = json.loads(path.read_text(encoding="utf-8"))
        found += [f"{path.stem}: {problem}" for problem in breaks(before, now[path.name])]
    return found


def schemas(
    out: Annotated[Path, typer.Argument(help="The folder to write to.", file_okay=False)],
    *,
    allow_breaks: Annotated[
        bool, typer.Option("--allow-breaks", help="Write even what readers of before cannot read.")
    ] = False,
) -> None:
    """Write asyncapi.yaml and a JSON Schema for each type of event; refuse what would break readers."""
    broken = incompatible(out)
    if broken and not allow_breaks:
        typer.echo("Readers of what is published now would break:\n" + "\n".join(broken), err=True)
        raise typer.Exit(1)
    for name, content in documents().items():
        file = out / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
