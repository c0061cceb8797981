"""Several recordings at once, drawn as they go, until all are done or somebody stops it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from otokura.cli.imports.entries import Entry
from otokura.cli.imports.patience import StoppedError
from otokura.cli.imports.sending import Outcome, Sender

INTERRUPTED = 130
_POLL_SECONDS = 0.5
_UNFINISHED = "stopped; the next run goes on from here"


class Run:
    """One run over the recordings.

    Args:
        sender: sends one.
        stop: set to stop soon.
        jobs: how many are sent at once.
    """

    def __init__(self, sender: Sender, stop: threading.Event, jobs: int) -> None:
        self._sender = sender
        self._stop = stop
        self._jobs = jobs

    def all(self, entries: Sequence[Entry], console: Console) -> list[Outcome]:
        """Send them all; Ctrl-C stops in good order, and what was not finished is told as such."""
        with _bars(console) as bars, ThreadPoolExecutor(self._jobs, thread_name_prefix="import") as pool:
            drawing = _Drawing(bars, sum(entry.size for entry in entries))
            futures = [pool.submit(self._one, entry, drawing) for entry in entries]
            self._wait(futures, console)
        return [future.result() for future in futures]

    def _one(self, entry: Entry, drawing: _Drawing) -> Outcome:
        with drawing.file(entry) as draw:
            try:
                if not self._stop.is_set():
                    return self._sender.send(entry, draw)
            except StoppedError:
                pass
            return Outcome(entry, "unfinished", None, _UNFINISHED)

    def _wait(self, futures: Sequence[Future[Outcome]], console: Console) -> None:
        """In short steps, so that a signal is heard."""
        waiting = set(futures)
        while waiting:
            try:
                _, waiting = wait(waiting, _POLL_SECONDS, FIRST_COMPLETED)
            except KeyboardInterrupt:
                if self._stop.is_set():  # asked twice: whatever hangs, the journal is whole at any time
                    os._exit(INTERRUPTED)
                console.print("Stopping: what is under way stays so that the next run goes on with it.")
                self._stop.set()


class _Drawing:
    """A bar for all, and one for each file under way."""

    def __init__(self, bars: Progress, total: int) -> None:
        self._bars = bars
        self._all: TaskID = bars.add_task("all", total=total)

    @contextmanager
    def file(self, entry: Entry) -> Generator[Callable[[int], None]]:
        bar = self._bars.add_task(escape(entry.file), total=entry.size)
        reached = 0

        def draw(sent: int) -> None:
            nonlocal reached
            self._bars.update(bar, completed=sent)
            self._bars.advance(self._all, sent - reached)
            reached = sent

        try:
            yield draw
        finally:
            self._bars.remove_task(bar)
            if not reached:  # nothing had to be sent
                self._bars.advance(self._all, entry.size)


def _bars(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
