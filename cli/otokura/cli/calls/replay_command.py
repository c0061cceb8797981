"""`otokura call replay`: the command, and what it prints."""

from __future__ import annotations

import binascii
import time
import uuid
from base64 import b64decode
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from otokura.cli.api.http import ApiError
from otokura.cli.calls import reach
from otokura.cli.calls.replay import ReplayError
from otokura.cli.calls.replay import replay as play
from otokura.cli.calls.session import Filling, Session, SessionError
from otokura.cli.calls.vendor import SETTLED, NewCall, Vendor
from otokura.cli.target import DEFAULT_FOLDER, DataFolder

_LOOK_SECONDS = 0.2


def replay(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A recorded session.")],
    *,
    speed: Annotated[
        float, typer.Option(min=1.0, max=1000, help="Times the pace at which it was recorded.")
    ] = 1.0,
    external_id: Annotated[
        str | None, typer.Option(help="The phone system's id of the call; a new one if not given.")
    ] = None,
    client_secret: Annotated[
        str | None,
        typer.Option(
            envvar="OTOKURA_CLIENT_SECRET",
            help="AudioHook: the client secret in base64, as it is registered.",
        ),
    ] = None,
    wait: Annotated[
        float, typer.Option(min=0, help="Seconds to wait until the call is sealed; 0 does not wait.")
    ] = 60.0,
    url: reach.IngestUrl = None,
    api_key: reach.VendorKey = None,
    data: DataFolder = DEFAULT_FOLDER,
) -> None:
    """Play a phone system's recorded session to ingest, and print what became of the call."""
    where, key = reach.reach(url, api_key, data)
    vendor = Vendor(where, key)
    filling = Filling(key, external_id or str(uuid.uuid4()), _decoded(client_secret))
    try:
        session = Session.open(file)
        sent = _play(vendor, session, where, filling, speed)
        typer.echo(f"{session.header.dialect}: {sent} messages sent", err=True)
        call = _settled(vendor, filling.external_id, wait)
    except (ApiError, ReplayError, SessionError, httpx.TransportError, OSError) as error:
        typer.echo(f"{file}: {error}", err=True)
        raise typer.Exit(1) from None
    finally:
        vendor.close()
    if call is None:
        typer.echo(f"{file}: ingest knows no call {filling.external_id}", err=True)
        raise typer.Exit(1)
    typer.echo(_described(call))


def _decoded(client_secret: str | None) -> bytes | None:
    try:
        return None if client_secret is None else b64decode(client_secret, validate=True)
    except binascii.Error:
        raise typer.BadParameter("the client secret must be base64, as it is registered") from None


def _play(vendor: Vendor, session: Session, url: str, filling: Filling, speed: float) -> int:
    """AudioSocket calls are started and named beforehand: the protocol carries nothing but a UUID."""
    if session.header.transport != "tcp":
        return play(session, url, filling, speed=speed)
    call_id = vendor.start(NewCall(filling.external_id, tuple(session.header.roles)))
    given = vendor.audiosocket(call_id)
    return play(session, f"tcp://{given['address']}", filling, speed=speed, uuid=uuid.UUID(given["uuid"]))


def _settled(vendor: Vendor, external_id: str, patience: float) -> dict[str, Any] | None:
    """The newest call of that id: settled, or as it is when the patience ends."""
    deadline = time.monotonic() + patience
    while True:
        call = next(iter(vendor.find(external_id)), None)
        if (call is not None and call["state"] in SETTLED) or time.monotonic() >= deadline:
            return call
        time.sleep(_LOOK_SECONDS)


def _described(call: dict[str, Any]) -> str:
    told = f"{call['id']} {call['state']}"
    if call["recording"] is not None:
        told += f" {call['recording']['duration_ms'] / 1000:.2f} s"
    if call["failure"]:
        told += f": {call['failure']}"
    return told
