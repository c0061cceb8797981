"""`otokura evidence`: have a call made into one signed bundle, and keep it."""

from __future__ import annotations

import errno
import os
import uuid
from pathlib import Path
from typing import Annotated

import httpx
import typer

from otokura.cli.api.asking import AccessUrl, ClientSecret, access_as
from otokura.cli.api.http import Api, ApiError, error_of
from otokura.cli.target import DEFAULT_FOLDER, DataFolder

_ClientId = Annotated[
    str | None,
    typer.Option(envvar="OTOKURA_CLIENT_ID", help="An evidence officer; the local one if not given."),
]


def evidence(
    call: Annotated[uuid.UUID, typer.Argument(help="The call's id.")],
    *,
    reason: Annotated[str, typer.Option(help="Why: stands in the log, and in the bundle.")],
    out: Annotated[Path, typer.Option(help="The file to write.", dir_okay=False)],
    url: AccessUrl = None,
    client_id: _ClientId = None,
    client_secret: ClientSecret = None,
    data: DataFolder = DEFAULT_FOLDER,
) -> None:
    """Make a call into evidence: audio, transcript, vCon and its whole history, in one signed bundle.

    The file is there only once it is whole. `otokura verify evidence` checks it, offline.
    """
    with access_as("evidence-officer", url, client_id, client_secret, data) as api:
        try:
            size = fetch(api, str(call), reason, out)
        except (ApiError, httpx.TransportError, OSError) as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from None
    typer.echo(f"{out}: {size:,} bytes. Verify it with: otokura verify evidence {out}")


def fetch(api: Api, call_id: str, reason: str, out: Path) -> int:
    """Writes a bundle; its size. What breaks off leaves no file.

    Raises:
        ApiError: the service refuses.
        httpx.TransportError: it cannot be reached, or breaks off.
        OSError: the file cannot be written, or is there already.
    """
    if out.exists():  # making a bundle is written down, and takes long
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(out))
    part = out.with_name(f"{out.name}.part")
    with part.open("xb") as file:
        part.chmod(0o600)
        try:
            with api.stream("POST", f"/v1/calls/{call_id}/evidence", json={"reason": reason}) as response:
                if response.is_error:
                    raise error_of(response)
                for chunk in response.iter_bytes():
                    file.write(chunk)
            file.flush()
            # A link never takes the place of a file that is there.
            out.hardlink_to(part)
        finally:
            part.unlink()
        return file.tell()
