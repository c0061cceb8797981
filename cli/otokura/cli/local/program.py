"""One program that this process started: it is waited for, stopped by its own id, and never outlives us."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from otokura.cli.local.ports import becomes_free

_TETHER = Path(__file__).with_name("tether.py")
_POLL_SECONDS = 0.02
_LOG_TAIL = 2000
# The kernel tells a child that its parent died when the *thread* that started it ends (prctl(2)): start every
# one from a thread that lives as long as this process.
_STARTER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="starter")


class StartError(RuntimeError):
    """A program did not come up; the text ends with the last lines that it wrote."""


class Process(Protocol):
    """A process that was started: what is used of `subprocess.Popen`."""

    @property
    def pid(self) -> int:
        """Its number."""
        ...

    def poll(self) -> int | None:
        """How it ended, `None` while it runs."""
        ...

    def send_signal(self, sig: int, /) -> None:
        """Sends a signal, unless it has ended."""
        ...

    def kill(self) -> None:
        """`kill -9`."""
        ...

    def wait(self, timeout: float | None = None) -> int:
        """How it ended; raises `subprocess.TimeoutExpired` after `timeout` seconds."""
        ...


class Program:
    """A child process with a log file, which the kernel asks to stop when this process dies.

    Args:
        name: what to call it in messages.
        argv: program and arguments.
        env: its whole environment.
        log: file that gets its output, appended.
        user: whom to run as, `None` for ourselves.
        port: where it listens.
        stop_signal: what asks it to stop, also sent when this process dies.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        log: Path,
        user: str | None = None,
        port: int | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name = name
        self.log = log
        self._argv = list(argv)
        self._env = dict(env)
        self._user = user
        self._port = port
        self._stop_signal = stop_signal
        self._process: Process | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process and self.running else None

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def returncode(self) -> int | None:
        """How it ended: a negative number is a signal, `None` while it runs or before it started."""
        return self._process.poll() if self._process else None

    def start(self) -> None:
        """Start it, once its port is free, without waiting until it is ready."""
        if self.running:
            raise StartError(f"{self.name} already runs")
        if self._port is not None and not becomes_free(self._port):
            raise StartError(f"{self.name} cannot start: somebody listens on its port {self._port}")
        self._process = _STARTER.submit(self._spawn).result()

    def _spawn(self) -> Process:
        tether = [sys.executable, "-I", "-S", str(_TETHER), str(os.getpid())]
        argv = [*tether, str(int(self._stop_signal)), self._user or "-", *self._argv]
        with self.log.open("ab") as output:
            return subprocess.Popen(  # noqa: S603 - the stack's own programs
                argv,
                env=self._env,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches us alone, and we stop things in order
            )

    def wait_until(self, ready: Callable[[], bool], timeout: float = 30.0) -> None:
        """Wait until `ready()`; `StartError` when it ends before that or `timeout` seconds pass."""
        deadline = time.monotonic() + timeout
        while not ready():
            if not self.running:
                raise StartError(f"{self.name} ended with {self.returncode}:\n{self.last_words()}")
            if time.monotonic() > deadline:
                raise StartError(f"{self.name} was not ready after {timeout:.0f} s:\n{self.last_words()}")
            time.sleep(_POLL_SECONDS)

    def ask_to_stop(self) -> None:
        """Ask it to stop, without waiting."""
        if self._process is not None and self.running:
            self._process.send_signal(self._stop_signal)

    def stop(self, timeout: float = 15.0) -> None:
        """Ask it to stop and wait; after `timeout` seconds kill it."""
        if self._process is None:
            return
        self.ask_to_stop()
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """`kill -9`, and wait until it is gone."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()

    def last_words(self) -> str:
        """The end of its log."""
        return self.log.read_bytes()[-_LOG_TAIL:].decode(errors="replace") if self.log.exists() else ""


def accepts(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something listens there."""
    try:
        with socket.create_connection((host, port), timeout=1.0):
            return True
    except OSError:
        return False
