"""Services for tests, forked from a process that has imported them: a start costs a fifth.

The tests of the whole system start them as production does, and so do benches.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from otokura.cli.local.layout import SERVICES
from otokura.cli.local.program import Process, Program
from otokura.cli.local.tether import tie

_CONTEXT = multiprocessing.get_context("forkserver")


def program(service: str, *, env: Mapping[str, str], log: Path) -> Program:
    """A service to start: forked in tests.

    Args:
        service: which of the four.
        env: its whole environment.
        log: file that gets its output, appended.
    """
    make = _Forked if "PYTEST_CURRENT_TEST" in os.environ else Program  # pytest sets it while a test runs
    return make(log.stem, [sys.executable, "-m", f"otokura.{service}"], env=env, log=log)


class _Forked(Program):
    def _spawn(self) -> Process:
        _CONTEXT.set_forkserver_preload([f"otokura.{service}.app" for service in SERVICES])
        return _Child(self._argv[-1], self._env, self.log)


class _Child:
    """A forked process that answers as `subprocess.Popen` does."""

    def __init__(self, module: str, env: Mapping[str, str], log: Path) -> None:
        self._lock = threading.Lock()
        self._process = _CONTEXT.Process(target=_serve, args=(module, dict(env), str(log)), daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        pid = self._process.pid
        assert pid is not None
        return pid

    def poll(self) -> int | None:
        with self._lock:  # two that ask at once would read the one answer
            return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        with self._lock:
            self._process.join(timeout)
            code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout or 0.0)
        return code


def _serve(module: str, env: Mapping[str, str], log: str) -> None:
    """Becomes the service, as if it had been started with this environment and log."""
    os.setsid()
    tie(os.getppid(), signal.SIGTERM)
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.chdir("/")
    os.environ.clear()
    os.environ.update(env)
    gc.freeze()
    runpy.run_module(module, run_name="__main__", alter_sys=True)
