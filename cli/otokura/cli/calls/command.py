"""`otokura call send`: send recordings of calls to ingest, whole or as live streams."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from otokura.cli.api.http import ApiError
from otokura.cli.calls import reach
from otokura.cli.calls.live import StreamError
from otokura.cli.calls.replay_command import replay
from otokura.cli.calls.vendor import NewCall, Vendor
from otokura.cli.calls.wav import WavError, read_wav
from otokura.cli.demo.tenant import AGENT_ID
from otokura.cli.imports.command import import_calls
from otokura.cli.target import DEFAULT_FOLDER, DataFolder

app = typer.Typer(help="Send calls.", no_args_is_help=True)
app.command()(replay)
app.command("import")(import_calls)
_ROLES = {1: ("mixed",), 2: ("agent", "customer")}


@app.callback()
def group() -> None:
    """Send calls."""


@dataclass(frozen=True)
class Job:
    """One file to send, and how."""

    path: Path
    call: NewCall
    live: bool
    speed: float
    title: str


@app.command()
def send(  # noqa: PLR0913 - one argument for each option
    files: Annotated[
        list[Path], typer.Argument(exists=True, dir_okay=False, help="Audio files, one a call.")
    ],
    *,
    live: Annotated[bool, typer.Option("--live", help="Stream them as if they were being spoken.")] = False,
    speed: Annotated[
        float, typer.Option(min=0.1, max=100, help="With --live: times the pace of speech.")
    ] = 1.0,
    agent: Annotated[str | None, typer.Option(help="The phone system's id of the agent.")] = None,
    external_id: Annotated[
        str | None, typer.Option(help="The phone system's id of the call; the file's name if not given.")
    ] = None,
    channels: Annotated[
        str | None, typer.Option(help="Who speaks on each channel, such as agent,customer or mixed.")
    ] = None,
    language: Annotated[str | None, typer.Option(help="ja, en, …; recognised if not given.")] = None,
    purpose: Annotated[list[str] | None, typer.Option(help="What callers were told; several times.")] = None,
    url: reach.IngestUrl = None,
    api_key: reach.VendorKey = None,
    data: DataFolder = DEFAULT_FOLDER,
) -> None:
    """Send recordings of calls, with progress; prints the id of each call."""
    vendor = reach.vendor(url, api_key, data)
    failed = False
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as bars:
        for path in files:
            try:
                call = NewCall(
                    external_id or path.name,
                    _roles(channels, path),
                    agent_id=agent or (AGENT_ID if url is None else None),
                    purposes=tuple(purpose or ("quality",)),
                    language=language,
                )
                typer.echo(send_one(vendor, Job(path, call, live, speed, path.name), bars))
            except (ApiError, StreamError, WavError, httpx.TransportError) as error:
                failed = True
                typer.echo(f"{path}: {error}", err=True)
    vendor.close()
    if failed:
        raise typer.Exit(1)


def send_one(vendor: Vendor, job: Job, bars: Progress) -> str:
    """Send one call, drawing how far it is; its id.

    Raises:
        ApiError: ingest refused.
        StreamError: the live stream could not be finished.
        WavError: the file cannot be streamed live.
        httpx.TransportError: ingest cannot be reached.
    """
    wav = read_wav(job.path) if job.live else None  # before the call starts: there is none if this fails
    bar = bars.add_task(job.title, total=wav.samples if wav else job.path.stat().st_size)
    call_id = vendor.start(job.call)

    def draw(reached: int) -> None:
        bars.update(bar, completed=reached)

    if wav is not None:
        vendor.stream(call_id, wav, speed=job.speed, progress=draw)
    else:
        vendor.upload(call_id, job.path, draw)
    return call_id


def _roles(given: str | None, path: Path) -> tuple[str, ...]:
    if given is not None:
        return tuple(role.strip() for role in given.split(","))
    try:
        return _ROLES[read_wav(path).channels]
    except WavError as error:
        raise WavError(f"{error}: say who is on its channels (--channels agent,customer or mixed)") from None
