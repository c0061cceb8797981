"""`otokura transcribe`: have recordings transcribed again, and see how far that has come."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import httpx
import typer

from otokura.cli.api.auth import ClientToken
from otokura.cli.api.http import Api, ApiError
from otokura.cli.target import DEFAULT_FOLDER, DataFolder, running_target

T = TypeVar("T")
app = typer.Typer(help="Have recordings transcribed again.", no_args_is_help=True)

_LOOK_SECONDS = 2.0
_AccessUrl = Annotated[
    str | None, typer.Option("--url", help="The address of access; the local one if not given.")
]
_ClientId = Annotated[
    str | None,
    typer.Option(
        envvar="OTOKURA_CLIENT_ID", help="An administrator or operator; the local administrator if not given."
    ),
]
_ClientSecret = Annotated[str | None, typer.Option(envvar="OTOKURA_CLIENT_SECRET", help="Their secret.")]
_Wait = Annotated[bool, typer.Option("--wait", help="Wait until nothing is queued or running any more.")]


@app.command()
def again(  # noqa: PLR0913 - one argument for each option
    *,
    model: Annotated[
        str | None,
        typer.Option(help="Such as whisper-base; only workers that have it do it. Any if not given."),
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Calls that began then or later: a date or a time, UTC without a zone.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Calls that began before.")] = None,
    tenant: Annotated[
        str | None, typer.Option(help="For operators: one tenant's calls; all if not given.")
    ] = None,
    call: Annotated[str | None, typer.Option(help="One call, by its id.")] = None,
    reason: Annotated[
        str, typer.Option(help="Why: kept with the new versions.")
    ] = "Asked for on the command line",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count the calls.")] = False,
    wait: _Wait = False,
    url: _AccessUrl = None,
    client_id: _ClientId = None,
    client_secret: _ClientSecret = None,
    data: DataFolder = DEFAULT_FOLDER,
) -> None:
    """Have recordings transcribed again, behind all fresh ones. Earlier versions stay.

    Calls that the model has transcribed, or that wait for it, are passed over.
    """
    selection = {
        "model": model,
        "since": _moment("--since", since),
        "until": _moment("--until", until),
        "tenant_id": tenant,
        "call_id": call,
    }
    body = {name: value for name, value in selection.items() if value is not None}
    with _access(url, client_id, client_secret, data) as api:
        if dry_run:
            counted = _asked(lambda: api.json("POST", "/v1/transcriptions/preview", json=body))
            typer.echo(f"{counted['calls']} calls would be transcribed again.")
            return
        # One key for all attempts of this command: it is asked for once, whatever happens on the way.
        key = {"Idempotency-Key": str(uuid.uuid4())}
        made = _asked(
            lambda: api.json("POST", "/v1/transcriptions", json={**body, "reason": reason}, headers=key)
        )
        typer.echo(f"{made['matching']} calls are to be transcribed again: request {made['id']}.")
        if wait:
            _follow(api, made["id"])
        else:
            typer.echo(f"See how far it is with: otokura transcribe progress {made['id']}")


@app.command()
def progress(
    request: Annotated[uuid.UUID, typer.Argument(help="The request's id, as `again` said it.")],
    *,
    wait: _Wait = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole answer.")] = False,
    url: _AccessUrl = None,
    client_id: _ClientId = None,
    client_secret: _ClientSecret = None,
    data: DataFolder = DEFAULT_FOLDER,
) -> None:
    """Say how far a request has come."""
    with _access(url, client_id, client_secret, data) as api:
        if wait:
            _follow(api, str(request))
            return
        found = _asked(lambda: api.json("GET", f"/v1/transcriptions/{request}"))
        typer.echo(json.dumps(found) if as_json else describe(found))


@app.command("list")
def list_requests(
    *,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many at most.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print a request a line, whole.")] = False,
    url: _AccessUrl = None,
    client_id: _ClientId = None,
    client_secret: _ClientSecret = None,
    data: DataFolder = DEFAULT_FOLDER,
) -> None:
    """List what was asked for, newest first, and how far it has come."""
    with _access(url, client_id, client_secret, data) as api:
        found = _asked(lambda: api.json("GET", f"/v1/transcriptions?limit={limit}"))
    for request in found["items"]:
        if as_json:
            typer.echo(json.dumps(request))
        else:
            asked = f"{request['id']}  {request['requested_at'][:16]}  {request['matching']} calls"
            typer.echo(f"{asked}  {request['reason']}: {describe(request)}")


def describe(request: dict[str, Any]) -> str:
    """How far a request has come, in words."""
    told = request["progress"]
    if told is None:
        return "The transcription service has not taken it yet."
    parts = ", ".join(f"{told[state]} {state}" for state in ("queued", "running", "done", "failed"))
    if told["queued"] and not told["model_available"]:
        return f"{parts}. No worker has the model {request['model']}: they wait for one."
    return f"{parts}."


def _follow(api: Api, request: str) -> None:
    last = ""
    while True:
        found = _asked(lambda: api.json("GET", f"/v1/transcriptions/{request}"))
        if (said := describe(found)) != last:
            typer.echo(said)
            last = said
        told = found["progress"]
        if told is not None and not told["queued"] and not told["running"]:
            raise typer.Exit(1 if told["failed"] else 0)
        time.sleep(_LOOK_SECONDS)


def _moment(option: str, text: str | None) -> str | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{option}: {text} is no date or time such as 2026-04-01T09:00+09:00"
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()


def _access(url: str | None, client_id: str | None, client_secret: str | None, data: Path) -> Api:
    """Access, as who is named, else as the local tenant's administrator."""
    if (client_id is None) != (client_secret is None):
        raise typer.BadParameter("give --client-id and --client-secret, or neither")
    if url is not None and client_id is not None and client_secret is not None:
        return Api(url, auth=ClientToken(url, client_id, client_secret))
    target = running_target(data)
    address = url or target.stack.urls["access"]
    if client_id is not None and client_secret is not None:
        return Api(address, auth=ClientToken(address, client_id, client_secret))
    return target.credentials.api("admin", address)


def _asked(ask: Callable[[], T]) -> T:
    try:
        return ask()
    except (ApiError, httpx.TransportError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
