"""`otokura keys`: rotate key-encryption keys while everything goes on, and see how far that is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import httpx
import typer

from otokura.cli.api.asking import AccessUrl, ClientSecret, access_as, asked
from otokura.cli.api.http import ApiError
from otokura.cli.keys import rotation
from otokura.cli.keys.keks import KekStore, KeyringFile, VaultServer
from otokura.cli.local.layout import Layout
from otokura.cli.target import DEFAULT_FOLDER, DataFolder
from otokura.shared.errors import OtokuraError
from otokura.shared.keyring import KeyringError

app = typer.Typer(help="Replace the keys that wrap the keys of calls.", no_args_is_help=True)

GRACE_SECONDS = 15.0
_ClientId = Annotated[
    str | None,
    typer.Option(envvar="OTOKURA_CLIENT_ID", help="An operator; the local one if not given."),
]


@app.command()
def rotate(  # noqa: PLR0913 - one argument for each option
    *,
    keyring: Annotated[
        Path | None, typer.Option(help="The keyring file; that of the local Otokura if not given.")
    ] = None,
    vault: Annotated[
        str | None, typer.Option(help="The address of Vault or OpenBao, where that holds the keys.")
    ] = None,
    vault_token: Annotated[
        Path | None, typer.Option(help="File with a token of the policy otokura-rotation.")
    ] = None,
    vault_mount: Annotated[str, typer.Option(help="Where its Transit engine is.")] = "transit",
    vault_namespace: Annotated[str | None, typer.Option(help="Its namespace, if any.")] = None,
    vault_ca: Annotated[
        Path | None, typer.Option(help="The authority that signed its certificate, PEM.")
    ] = None,
    grace: Annotated[
        float, typer.Option(min=0, help="Seconds between the last service's word and the destruction.")
    ] = GRACE_SECONDS,
    url: AccessUrl = None,
    client_id: _ClientId = None,
    client_secret: ClientSecret = None,
    data: DataFolder = DEFAULT_FOLDER,
) -> None:
    """Make new keys, have everything wrapped anew, destroy the old keys. Reads and calls go on.

    Interrupted anywhere, it goes on from there when it is run again.
    """
    keks = _keks(keyring, data, vault, vault_token, vault_mount, vault_namespace, vault_ca)
    with access_as("operator", url, client_id, client_secret, data) as api:
        try:
            rotation.rotate(api, keks, typer.echo, grace)
        except (ApiError, httpx.TransportError, KeyringError, OtokuraError, OSError) as error:
            typer.echo(f"{error}\nNothing is lost: run the command again.", err=True)
            raise typer.Exit(1) from None


@app.command()
def status(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole answer.")] = False,
    url: AccessUrl = None,
    client_id: _ClientId = None,
    client_secret: ClientSecret = None,
    data: DataFolder = DEFAULT_FOLDER,
) -> None:
    """Say how far the newest rotation is. Exits 1 while it is not finished."""
    with access_as("operator", url, client_id, client_secret, data) as api:
        found = asked(lambda: rotation.newest(api))
    if found is None:
        typer.echo("null" if as_json else "The keys were never rotated.")
        return
    said = f"{found['id']}  {found['rotated_at'][:16]}  {rotation.describe(found)}"
    typer.echo(json.dumps(found) if as_json else said)
    if found["state"] != "done":
        raise typer.Exit(1)


def _keks(
    keyring: Path | None,
    data: Path,
    vault: str | None,
    vault_token: Path | None,
    mount: str,
    namespace: str | None,
    ca_file: Path | None,
) -> KekStore:
    if vault is None:
        if vault_token is not None:
            raise typer.BadParameter("give --vault with --vault-token")
        return KeyringFile(keyring or Layout(data.resolve()).keyring)
    if keyring is not None or vault_token is None:
        raise typer.BadParameter("--vault needs --vault-token, and no --keyring")
    return VaultServer(vault.rstrip("/"), vault_token, mount, namespace, ca_file)
