"""A stack with its demo tenant, kept running until somebody asks it to stop."""

from __future__ import annotations

import secrets
import signal
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

from otokura.cli.credentials import Credentials
from otokura.cli.demo.tenant import ensure_tenant
from otokura.cli.local.layout import Layout
from otokura.cli.local.stack import Stack
from otokura.cli.target import Target, running_target

_CHECK_SECONDS = 0.5
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequested(BaseException):
    """Somebody asked this process to stop."""


@contextmanager
def stoppable() -> Generator[None]:
    """Turn Ctrl-C, SIGTERM and SIGHUP into one `StopRequested`; later ones do not interrupt the stopping."""

    def ask(number: int, _frame: object) -> None:
        for one in _STOP_SIGNALS:
            signal.signal(one, signal.SIG_IGN)
        raise StopRequested(signal.Signals(number).name)

    before = {one: signal.signal(one, ask) for one in _STOP_SIGNALS}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


@contextmanager
def local_otokura(
    folder: Path, *, ports: Mapping[str, int] | None = None, tell: Callable[[str], None]
) -> Generator[Target]:
    """A running stack on `folder` whose tenant and people exist; it is watched until the block ends."""
    layout = Layout(folder.resolve())
    first = "operator" not in Credentials.read(layout.credentials).principals
    # The token lives in this process and in that of access, and nowhere else.
    token = secrets.token_urlsafe(32) if first else None
    with Stack(folder, ports=ports, bootstrap_token=token, tell=tell) as stack, watched(stack, tell):
        tell("Looking after the demo tenant")
        target = running_target(folder)
        ensure_tenant(layout.credentials, target.stack.urls, token)
        yield target


@contextmanager
def watched(stack: Stack, tell: Callable[[str], None]) -> Generator[None]:
    """Start again what dies, from a thread of its own."""
    done = threading.Event()

    def watch() -> None:
        trouble = ""
        while not done.wait(_CHECK_SECONDS):
            try:
                for event in stack.supervise():
                    tell(event)
                trouble = ""
            except (OSError, psutil.Error) as error:
                # A full disk, or a process that went away. Were this the end of looking, nothing would be
                # started again any more, and nobody would know.
                if trouble != (trouble := str(error)):
                    tell(f"Looking after the stack failed, trying again: {error}")

    watcher = threading.Thread(target=watch, name="watcher")
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
