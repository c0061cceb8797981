"""`otokura up`: all of Otokura on this machine, until it is told to stop."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from otokura.cli.demo.tenant import SetupError
from otokura.cli.local.program import StartError
from otokura.cli.local.session import StopRequested, local_otokura, stoppable
from otokura.cli.target import DEFAULT_FOLDER, DataFolder, Target


def parse_ports(given: list[str]) -> dict[str, int]:
    """`["access=8443"]` → `{"access": 8443}`.

    Raises:
        typer.BadParameter: it is not `name=port`.
    """
    ports: dict[str, int] = {}
    for text in given:
        name, _, number = text.partition("=")
        if not number.isdigit() or not 0 < int(number) < 1 << 16:
            raise typer.BadParameter(f"{text}: write name=port, such as access=8443")
        ports[name] = int(number)
    return ports


def up(
    data: DataFolder = DEFAULT_FOLDER,
    port: Annotated[
        list[str] | None,
        typer.Option(
            help="name=port, for postgresql, s3, kafka, audiosocket or a service; several times."
            " Others are chosen."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object when everything runs.")
    ] = False,
) -> None:
    """Start Otokura on this machine and keep it running until Ctrl-C.

    Everything lies in the data folder, and is there again at the next start.
    """
    messages = Console(stderr=True)

    def tell(line: str) -> None:
        messages.print(escape(line), style="dim", highlight=False)

    try:
        with stoppable(), local_otokura(data, ports=parse_ports(port or []), tell=tell) as target:
            if as_json:
                typer.echo(json.dumps(describe(target), ensure_ascii=False))
            else:
                show(target, Console())
            while True:
                signal.pause()
    except StopRequested:
        messages.print("Stopped.", style="dim")
    except (StartError, SetupError, ValueError) as error:
        messages.print(f"[red]Otokura did not start:[/] {escape(str(error))}")
        raise typer.Exit(1) from None


def describe(target: Target) -> dict[str, object]:
    """Addresses and where the credentials are, for scripts."""
    return {
        "urls": target.stack.urls,
        "postgresql": target.stack.postgresql,
        "s3": target.stack.s3_endpoint,
        "kafka": target.stack.kafka_bootstrap,
        "audiosocket": target.stack.audiosocket,
        "log": target.log_url,
        "log_key": target.log_vkey,
        "credentials": str(target.layout.credentials),
    }


def show(target: Target, console: Console) -> None:
    """Addresses, credentials, and something to try, for people."""
    addresses = {name: f"{url}/openapi.json" for name, url in target.stack.urls.items()}
    addresses |= {"console": f"{target.stack.urls['access']}/console"}
    addresses |= {"audit log": target.log_url, "PostgreSQL": target.stack.postgresql}
    addresses |= {"S3": target.stack.s3_endpoint, "Kafka": target.stack.kafka_bootstrap}
    addresses |= {"AudioSocket": target.stack.audiosocket}
    _list(console, "Addresses", addresses)
    credentials = target.credentials
    people = {
        name: f"{one.id}  {one.api_key or one.client_secret}" for name, one in credentials.principals.items()
    }
    _list(console, f"Client ids and secrets or API keys (also in {target.layout.credentials})", people)
    access = target.stack.urls["access"]
    token = credentials.token_of("supervisor", access).token()
    console.print(
        "\n[bold]Try it[/] (the token is good for 15 minutes; `otokura token supervisor` prints another)",
        soft_wrap=True,
    )
    console.print("  .venv/bin/otokura call send examples/calls/en-support.wav", highlight=False)
    line = f"  curl -H 'Authorization: Bearer {token}' {access}/v1/calls"
    console.print(line, highlight=False, soft_wrap=True)
    console.print("\nCtrl-C stops everything.", style="dim")


def _list(console: Console, title: str, lines: Mapping[str, str]) -> None:
    """Name and value, unwrapped: values are there to be copied."""
    console.print(f"\n[bold]{escape(title)}[/]", highlight=False, soft_wrap=True)
    for name, value in lines.items():
        console.print(f"  {name:<12}{escape(value)}", highlight=False, soft_wrap=True)
