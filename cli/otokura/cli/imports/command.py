"""`otokura call import`: the command."""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from rich.console import Console

from otokura.cli.api.auth import ApiKey
from otokura.cli.api.http import Api
from otokura.cli.calls import reach
from otokura.cli.imports import report
from otokura.cli.imports.entries import Defaults, Entries, Entry, entries_of
from otokura.cli.imports.files import Folder
from otokura.cli.imports.journal import NAME, Journal, JournalError
from otokura.cli.imports.run import INTERRUPTED, Run
from otokura.cli.imports.sending import Outcome, Sender
from otokura.cli.imports.sidecar import RawRow, SidecarError, find_sidecar, read_sidecar
from otokura.cli.target import DEFAULT_FOLDER, DataFolder

_NAMED = 10


def import_calls(  # noqa: PLR0913 - one argument for each option
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", exists=True, file_okay=False, help="A folder of recordings, one a call."
        ),
    ],
    *,
    sidecar: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False, help="What is known of the calls; DIR/calls.csv, .jsonl or .json if not given."
        ),
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="Of a CSV; UTF-8, UTF-16 and cp932 (Shift_JIS) are recognised.")
    ] = None,
    direction: Annotated[
        str, typer.Option(help="Where the sidecar says none: inbound, outbound, internal.")
    ] = "inbound",
    agent: Annotated[str | None, typer.Option(help="The agent, where the sidecar names none.")] = None,
    channels: Annotated[
        str | None,
        typer.Option(help="Who speaks on each channel: agent,customer or customer,agent or mixed."),
    ] = None,
    notice: Annotated[
        str, typer.Option(help="How callers were told of the recording: announced, attested or none.")
    ] = "none",
    notice_version: Annotated[str | None, typer.Option(help="Which wording they heard.")] = None,
    purpose: Annotated[list[str] | None, typer.Option(help="What callers were told; several times.")] = None,
    language: Annotated[str | None, typer.Option(help="ja, en, …; the tenant's if not given.")] = None,
    time_zone: Annotated[
        str | None, typer.Option(help="Of times that name none: Asia/Tokyo, +09:00.")
    ] = None,
    ignore_unknown: Annotated[
        bool, typer.Option("--ignore-unknown", help="Leave out columns that mean nothing here.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Import also what ingest has under the same external_id.")
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="How many files are sent at once.")] = 4,
    state: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help=f"Where to note what is done; DIR/{NAME} if not given."),
    ] = None,
    report_file: Annotated[
        Path | None,
        typer.Option("--report", dir_okay=False, help="Write what became of each recording, as JSON."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Look for what is wrong, and send nothing.")
    ] = False,
    url: reach.IngestUrl = None,
    api_key: reach.VendorKey = None,
    data: DataFolder = DEFAULT_FOLDER,
) -> None:
    """Import a folder of recordings. Run it again after whatever interrupted it: it goes on where it was."""
    output, errors = Console(), Console(stderr=True)
    defaults = Defaults(
        direction=direction,
        agent_id=agent,
        channels=None if channels is None else tuple(role.strip() for role in channels.split(",")),
        notice=notice,
        notice_version=notice_version,
        purposes=tuple(purpose or ()),
        language=language,
        zone=_zone(time_zone),
    )
    entries = _entries(folder, sidecar, encoding, defaults, ignore_unknown=ignore_unknown, errors=errors)
    if entries.faults:
        report.show_faults(errors, entries.faults)
        errors.print(f"Nothing was sent: {_count(len(entries.faults), 'fault')}.")
    if entries.faults or dry_run:
        _write(report_file, [], entries)
        output.print(f"{_count(len(entries.good), 'recording')} can be imported.")
        raise typer.Exit(2 if entries.faults else 0)
    where, key = reach.reach(url, api_key, data)
    stop = threading.Event()
    try:
        with Api(where, auth=ApiKey(key)) as api, Journal(state or folder / NAME, where) as journal:
            run = Run(Sender(api, journal, stop, duplicates=again), stop, jobs)
            outcomes = run.all(entries.good, errors)
    except JournalError as error:
        errors.print(str(error), markup=False)
        raise typer.Exit(2) from None
    report.show(output, outcomes)
    _write(report_file, outcomes, entries)
    if stop.is_set():
        errors.print("Run the same command again to go on.")
        raise typer.Exit(INTERRUPTED)
    if any(outcome.state == "failed" for outcome in outcomes):
        raise typer.Exit(1)


def _entries(
    folder: Path,
    sidecar: Path | None,
    encoding: str | None,
    defaults: Defaults,
    *,
    ignore_unknown: bool,
    errors: Console,
) -> Entries:
    files = Folder(folder)
    try:
        found = sidecar or find_sidecar(folder)
        rows = (
            read_sidecar(found, encoding) if found else [RawRow(0, {"file": name}) for name in files.audio()]
        )
    except SidecarError as error:
        errors.print(str(error), markup=False)
        raise typer.Exit(2) from None
    entries = entries_of(rows, files, defaults, ignore_unknown=ignore_unknown)
    _tell_left_out(files, entries.good, errors)
    return entries


def _tell_left_out(files: Folder, entries: list[Entry], errors: Console) -> None:
    """Recordings that no row names: perhaps on purpose."""
    named = {entry.file for entry in entries}
    left_out = [name for name in files.audio() if name not in named]
    if left_out:
        more = f" and {len(left_out) - _NAMED} more" if len(left_out) > _NAMED else ""
        errors.print(
            f"Left out, for no good row names them: {', '.join(left_out[:_NAMED])}{more}", markup=False
        )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _zone(name: str | None) -> tzinfo | None:
    if name is None:
        return None
    with suppress(ValueError):  # no offset: a name, then
        return datetime.strptime(name, "%z").tzinfo
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise typer.BadParameter(
            f"{name} is no time zone; some are Asia/Tokyo and +09:00", param_hint="--time-zone"
        ) from None


def _write(path: Path | None, outcomes: list[Outcome], entries: Entries) -> None:
    if path is not None:
        report.write(path, outcomes, entries.faults)
