"""A process that stands still, as on a machine that hangs."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE_SECONDS = 10.0


def freeze(pid: int) -> None:
    """Returns when the process stands still.

    `kill` returns before the threads on other cores have stopped: until then they may still answer.
    """
    os.kill(pid, signal.SIGSTOP)
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while not _stands_still(pid):
        assert time.monotonic() < give_up_at, f"process {pid} goes on"
        time.sleep(0.001)


def _stands_still(pid: int) -> bool:
    """Whether each thread has the state T of proc_pid_stat(5); the name before it may hold brackets."""
    try:
        threads = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    except (FileNotFoundError, ProcessLookupError):  # a thread that ends now: so it still runs
        return False
    return all(thread.rpartition(") ")[2].startswith("T") for thread in threads)


def thaw(pid: int) -> None:
    """It goes on where it was."""
    os.kill(pid, signal.SIGCONT)


@contextmanager
def frozen(pid: int | None) -> Iterator[None]:
    """It stands still in here, and goes on after."""
    assert pid is not None
    freeze(pid)
    try:
        yield
    finally:
        thaw(pid)
