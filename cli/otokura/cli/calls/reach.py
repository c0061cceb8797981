"""Which ingest a command speaks to, and as whom."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from otokura.cli.calls.vendor import Vendor
from otokura.cli.target import running_target

IngestUrl = Annotated[
    str | None, typer.Option("--url", help="The address of ingest; the local one if not given.")
]
VendorKey = Annotated[
    str | None,
    typer.Option("--api-key", envvar="OTOKURA_API_KEY", help="The vendor's key; the local one if not given."),
]


def reach(url: str | None, api_key: str | None, data: Path) -> tuple[str, str]:
    """The address and the key: those given, else those of the local Otokura.

    Raises:
        typer.Exit: one is missing, and no Otokura runs here.
    """
    if url is not None and api_key is not None:
        return url, api_key
    target = running_target(data)
    key = api_key or str(target.credentials.principals["vendor"].api_key)
    return url or target.stack.urls["ingest"], key


def vendor(url: str | None, api_key: str | None, data: Path) -> Vendor:
    """Ingest, as that vendor sees it."""
    return Vendor(*reach(url, api_key, data))
