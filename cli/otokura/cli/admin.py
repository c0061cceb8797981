"""`otokura admin` and `otokura token`: the first operator, and tokens to try things with."""

from __future__ import annotations

import json
from typing import Annotated

import httpx
import typer

from otokura.cli.api.http import ApiError
from otokura.cli.demo import tenant
from otokura.cli.target import DEFAULT_FOLDER, DataFolder, running_target

app = typer.Typer(help="Set up a new installation.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Set up a new installation."""


@app.command()
def bootstrap(
    url: Annotated[str, typer.Option(help="The address of access.")],
    token: Annotated[
        str,
        typer.Option(
            envvar="OTOKURA_BOOTSTRAP_TOKEN",
            prompt=True,
            hide_input=True,
            help="The value of OTOKURA_BOOTSTRAP_TOKEN of access; asked for when it is in no variable.",
        ),
    ],
    name: Annotated[str, typer.Option(help="What to call the operator.")] = "First operator",
) -> None:
    """Make the first operator: once, with the token from the configuration of access.

    Prints the credentials, which are shown this once. Then remove the token from the configuration.
    """
    try:
        made = tenant.bootstrap(url, token, name)
    except (ApiError, httpx.TransportError) as error:
        typer.echo(f"No operator was made: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(json.dumps(made))


def token(
    who: Annotated[str, typer.Argument(help="Whose: operator, admin, vendor, supervisor, agent or auditor.")],
    data: DataFolder = DEFAULT_FOLDER,
) -> None:
    """Print an access token of somebody of the demo tenant."""
    target = running_target(data)
    if who not in target.credentials.principals:
        raise typer.BadParameter(f"there is no {who}: {', '.join(target.credentials.principals)}")
    typer.echo(target.credentials.token_of(who, target.stack.urls["access"]).token())
