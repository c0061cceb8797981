"""`otokura dlq`: the events that no service could handle, and sending them again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from dataclasses import asdict, dataclass
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from otokura.cli.target import DEFAULT_FOLDER, DataFolder, running_target
from otokura.shared.dlq import list_dead, replay
from otokura.shared.errors import Unavailable
from otokura.shared.events import Topic

T = TypeVar("T")
app = typer.Typer(help="Events that could not be handled.", no_args_is_help=True)
Bootstrap = Annotated[
    str | None, typer.Option("--kafka", help="host:port of the broker; the local one if not given.")
]


@dataclass(frozen=True)
class Broker:
    """The broker, as `otokura.shared` wants it described."""

    kafka_bootstrap: str
    kafka_idempotence: bool
    kafka_replication: int = 1
    kafka_min_insync: int = 1
    kafka_partitions: int = 1
    development: bool = True


@app.command("list")
def list_letters(
    topic: Annotated[Topic | None, typer.Argument(help="The topic; all if not given.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    kafka: Bootstrap = None,
    data: DataFolder = DEFAULT_FOLDER,
) -> None:
    """Show what waits: where it came from, who could not handle it, and why."""
    letters = _run(list_dead(_broker(kafka, data), topic))
    if as_json:
        for letter in letters:
            typer.echo(json.dumps(asdict(letter), ensure_ascii=False))
        return
    table = Table("topic", "partition", "offset", "type", "group", "attempts", "error", box=None)
    for letter in letters:
        place = (letter.original_topic, str(letter.original_partition), str(letter.original_offset))
        table.add_row(*place, letter.type or "?", letter.group, str(letter.attempts), letter.error)
    Console().print(table if letters else "Nothing waits.")


@app.command("replay")
def replay_letters(
    topic: Annotated[Topic, typer.Argument(help="The topic to send them to again.")],
    *,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
    kafka: Bootstrap = None,
    data: DataFolder = DEFAULT_FOLDER,
) -> None:
    """Send what waits to its topic again, oldest first. Who handled an event already passes it over."""
    sent = _run(replay(_broker(kafka, data), topic, limit=limit))
    typer.echo(f"{sent} sent to {topic} again.")


def _broker(kafka: str | None, data: DataFolder) -> Broker:
    if kafka is not None:
        return Broker(kafka, kafka_idempotence=True)
    stack = running_target(data).stack
    return Broker(stack.kafka_bootstrap, stack.kafka_idempotence)


def _run(work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except Unavailable as error:
        typer.echo(f"The broker cannot be reached: {error}", err=True)
        raise typer.Exit(1) from None
