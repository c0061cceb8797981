"""The record of a running stack: by it other commands find it, and the next start cleans up after it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

import psutil
from pydantic import BaseModel

from otokura.cli.local.private import write_private_json

_ORDERLY_SECONDS = 20.0


class ProcessId(BaseModel):
    """A process, told from a later one of the same number by when it began (seconds since the epoch)."""

    pid: int
    created: float

    @classmethod
    def of(cls, pid: int) -> ProcessId:
        """The process that has this number now."""
        return cls(pid=pid, created=psutil.Process(pid).create_time())

    def process(self) -> psutil.Process | None:
        """The process, `None` when it has ended."""
        try:
            found = psutil.Process(self.pid)
            return found if abs(found.create_time() - self.created) < 0.1 else None  # noqa: PLR2004 - clock ticks
        except psutil.NoSuchProcess:
            return None


class RunningStack(BaseModel):
    """What `stack.json` says: the addresses of services and servers, and every process."""

    stack: ProcessId
    urls: dict[str, str]
    postgresql: str
    s3_endpoint: str
    kafka_bootstrap: str
    kafka_idempotence: bool
    audiosocket: str = ""
    processes: dict[str, ProcessId]

    def write(self, path: Path) -> None:
        """Replace the record."""
        write_private_json(path, self.model_dump())


def living(pids: Mapping[str, int | None]) -> dict[str, ProcessId]:
    """The processes of these numbers, by name, without those that have ended by now."""
    found: dict[str, ProcessId] = {}
    for name, pid in pids.items():
        with contextlib.suppress(psutil.NoSuchProcess):
            if pid is not None:
                found[name] = ProcessId.of(pid)
    return found


def find(path: Path) -> RunningStack | None:
    """The stack that `path` describes, if it runs."""
    try:
        found = RunningStack.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    return found if found.stack.process() is not None else None


def end_leftovers(path: Path) -> None:
    """Wait for the processes of a stack that died suddenly; the kernel has asked them to stop.

    What does not stop is killed. Nothing but the recorded processes is touched.
    """
    try:
        last = RunningStack.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return
    left = [process for one in last.processes.values() if (process := one.process()) is not None]
    _, alive = psutil.wait_procs(left, timeout=_ORDERLY_SECONDS)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive)
    path.unlink(missing_ok=True)
