"""Long-lived tasks that must not die in silence."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

import structlog

T = TypeVar("T")

log = structlog.stdlib.get_logger(__name__)


async def run_together(*works: Coroutine[Any, Any, None]) -> None:
    """Runs works that are not expected to end; when one does, cancels the others and raises what it raised.

    Unlike a `TaskGroup` it raises the error itself, for callers that tell errors apart.
    """
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in done:
        task.result()


async def uninterrupted(work: Coroutine[Any, Any, T], patience: float | None = None) -> T:
    """Runs short work to its end even when the caller is cancelled meanwhile, and cancels the caller then.

    For what leaks when it is cut off half way, such as aiokafka's opening of a connection.

    Args:
        work: what leaks.
        patience: seconds that it has then before it is cut off all the same; None: it always ends soon.
    """
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=patience)
        task.cancel()
        await asyncio.wait({task})
        raise


class Supervisor:
    """Runs a service's background work, and ends the process when any of it ends by itself.

    A relay or a consumer that crashed leaves a process that looks healthy and does half its work. So the
    process stops in good order (SIGTERM to itself), leaving the block raises what happened, and whoever runs
    the process starts it again.

    Example: `async with Supervisor() as supervisor: supervisor.start("outbox", relay.run); yield`.
    """

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[None], str] = {}
        self._stopping = False
        self.failure: BaseException | None = None

    def start(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Starts `work()`, which is expected to run until it is cancelled."""
        task = asyncio.create_task(work(), name=name)
        self._tasks[task] = name
        task.add_done_callback(self._ended)

    async def check(self) -> None:
        """Readiness.

        Raises:
            RuntimeError: some of the work has ended.
        """
        if self.failure is not None:
            raise RuntimeError("Background work has ended.") from self.failure

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cancels the work, last started first, and waits for it."""
        self._stopping = True
        for task in reversed(list(self._tasks)):
            task.cancel()
            await asyncio.wait({task})
        if error is None and self.failure is not None:
            raise RuntimeError("Background work has ended.") from self.failure

    def _ended(self, task: asyncio.Task[None]) -> None:
        name = self._tasks[task]
        if self._stopping or task.cancelled():
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("background.failed_while_stopping", task=name, exc_info=error)
            return
        self.failure = self.failure or task.exception() or RuntimeError(f"{name} ended by itself")
        log.critical("background.ended", task=name, exc_info=self.failure)
        # The server's own handler drains connections and leaves the lifespan, which raises `failure`.
        os.kill(os.getpid(), signal.SIGTERM)
