"""`otokura transcribe`: have recordings transcribed again, and see how far that has come."""

from __future__ import annotations

import json
import time
import uuid
from typing import Annotated, Any

import typer

from otokura.cli.api.asking import AccessUrl, ClientSecret, access_as, asked, moment
from otokura.cli.api.http import Api
from otokura.cli.target import DEFAULT_FOLDER, DataFolder

app = typer.Typer(help="Have recordings transcribed again.", no_args_is_help=True)

_LOOK_SECONDS = 2.0
_ClientId = Annotated[
    str | None,
    typer.Option(
        envvar="OTOKURA_CLIENT_ID", help="An administrator or operator; the local administrator if not given."
    ),
]
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
    url: AccessUrl = None,
    client_id: _ClientId = None,
    client_secret: ClientSecret = None,
    data: DataFolder = DEFAULT_FOLDER,
) -> None:
    """Have recordings transcribed again, behind all fresh ones. Earlier versions stay.

    Calls that the model has transcribed, or that wait for it, are passed over.
    """
    selection = {
        "model": model,
        "since": moment("--since", since),
        "until": moment("--until", until),
        "tenant_id": tenant,
        "call_id": call,
    }
    body = {name: value for name, value in selection.items() if value is not None}
    with access_as("admin", url, client_id, client_secret, data) as api:
        if dry_run:
            counted = asked(lambda: api.json("POST", "/v1/transcriptions/preview", json=body))
            typer.echo(f"{counted['calls']} calls would be transcribed again.")
            return
        # One key for all attempts of this command: it is asked for once, whatever happens on the way.
        key = {"Idempotency-Key": str(uuid.uuid4())}
        made = asked(
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
    url: AccessUrl = None,
    client_id: _ClientId = None,
    client_secret: ClientSecret = None,
    data: DataFolder = DEFAULT_FOLDER,
) -> None:
    """Say how far a request has come."""
    with access_as("admin", url, client_id, client_secret, data) as api:
        if wait:
            _follow(api, str(request))
            return
        found = asked(lambda: api.json("GET", f"/v1/transcriptions/{request}"))
        typer.echo(json.dumps(found) if as_json else describe(found))


@app.command("list")
def list_requests(
    *,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many at most.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print a request a line, whole.")] = False,
    url: AccessUrl = None,
    client_id: _ClientId = None,
    client_secret: ClientSecret = None,
    data: DataFolder = DEFAULT_FOLDER,
) -> None:
    """List what was asked for, newest first, and how far it has come."""
    with access_as("admin", url, client_id, client_secret, data) as api:
        found = asked(lambda: api.json("GET", f"/v1/transcriptions?limit={limit}"))
    for request in found["items"]:
        if as_json:
            typer.echo(json.dumps(request))
        else:
            told = f"{request['id']}  {request['requested_at'][:16]}  {request['matching']} calls"
            typer.echo(f"{told}  {request['reason']}: {describe(request)}")


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
        found = asked(lambda: api.json("GET", f"/v1/transcriptions/{request}"))
        if (said := describe(found)) != last:
            typer.echo(said)
            last = said
        told = found["progress"]
        if told is not None and not told["queued"] and not told["running"]:
            raise typer.Exit(1 if told["failed"] else 0)
        time.sleep(_LOOK_SECONDS)
