"""Which Otokura a command speaks to: the one that runs on a data folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from otokura.cli.credentials import Credentials
from otokura.cli.local.environment import LOG_ORIGIN
from otokura.cli.local.layout import Layout
from otokura.cli.local.private import public_bytes, signing_key
from otokura.cli.local.running import RunningStack, find
from otokura.cli.verify.notes import make_vkey

DEFAULT_FOLDER = Path(".otokura")
DataFolder = Annotated[
    Path, typer.Option("--data", help="The data folder of the local Otokura.", file_okay=False)
]


@dataclass(frozen=True)
class Target:
    """A local Otokura that runs."""

    layout: Layout
    stack: RunningStack

    @property
    def credentials(self) -> Credentials:
        """The demo tenant's principals."""
        return Credentials.read(self.layout.credentials)

    @property
    def source_keys(self) -> dict[str, str]:
        """By service, base64 of the public key with which it signs its entries."""
        keys: dict[str, str] = json.loads(self.layout.source_keys.read_text())
        return keys

    @property
    def log_url(self) -> str:
        """This year's audit log."""
        return f"{self.stack.urls['audit']}/log/{datetime.now(UTC).year}"

    @property
    def log_vkey(self) -> str:
        """Its public key, from the key file rather than from the service that we do not want to trust."""
        public = public_bytes(signing_key(self.layout.log_key))
        return make_vkey(f"{LOG_ORIGIN}/{datetime.now(UTC).year}", public)


def running_target(folder: Path) -> Target:
    """The Otokura that runs on `folder`.

    Raises:
        typer.Exit: none runs there; says how to start one.
    """
    layout = Layout(folder.resolve())
    stack = find(layout.state)
    if stack is None:
        typer.echo(
            f"No Otokura runs on {layout.folder}: start it with `otokura up`, or give --data.", err=True
        )
        raise typer.Exit(2)
    return Target(layout, stack)
