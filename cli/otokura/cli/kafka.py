"""`otokura kafka`: a real Apache Kafka, to develop and test against."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from otokura.cli.local.apache_kafka import ApacheKafkaServer
from otokura.cli.local.ports import free_ports
from otokura.cli.local.program import StartError
from otokura.cli.local.session import StopRequested, stoppable


def kafka(
    data: Annotated[Path, typer.Option(help="Where its records go.", file_okay=False)] = Path(
        ".otokura/apache-kafka"
    ),
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Its port; a free one if not given.")
    ] = None,
) -> None:
    """Run Apache Kafka 4 until Ctrl-C; needs Java 17 and what scripts/fetch-kafka brings."""
    server = ApacheKafkaServer(data.resolve(), port=port or free_ports(1)[0])
    try:
        with stoppable():
            server.start()
            typer.echo(f"Apache Kafka listens on {server.bootstrap}; Ctrl-C stops it.")
            while server.program.running:
                time.sleep(1.0)
    except StopRequested:
        server.stop()
        return
    except StartError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    typer.echo(f"Apache Kafka ended:\n{server.program.last_words()}", err=True)
    raise typer.Exit(1)
