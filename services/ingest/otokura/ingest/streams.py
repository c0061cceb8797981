"""The streams that are open in this process.

The database alone decides who may write. This registry only makes the answer quick where both sides are in
one process: a newer connection closes the older at once, and the end of a call first stores what the
stream still holds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Generator
from contextlib import contextmanager
from enum import Enum
from typing import TypeVar
from uuid import UUID

T = TypeVar("T")

FINISH_SECONDS = 5.0


class Request(Enum):
    """What the rest of the process may ask of an open stream."""

    FINISH = "finish"
    YIELD = "yield"


class OpenStream:
    """One connection: asked from outside, done when it has stored what it held."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.asked: Request | None = None
        self.done = asyncio.Event()
        self._waiting: asyncio.Timeout | None = None

    def ask(self, request: Request) -> None:
        """Ask once; the first request stands. The connection's `wait` ends."""
        if self.asked is None:
            self.asked = request
            if self._waiting is not None:
                self._waiting.reschedule(asyncio.get_running_loop().time())

    async def wait(self, message: Awaitable[T], deadline: float | None) -> T | None:
        """The message, or None when the deadline passes or somebody asks something before it comes.

        A message that has arrived goes before what is asked, so that nothing received is lost to a request.
        Fifty messages a second come on each stream: so no task is made for one, and no second future waited
        for, but the one wait is cut short.

        Args:
            message: what is waited for; it must lose nothing when it is cancelled.
            deadline: on the loop's clock; None is never.
        """
        try:
            async with asyncio.timeout_at(0.0 if self.asked else deadline) as self._waiting:
                return await message
        except TimeoutError:
            return None
        finally:
            self._waiting = None


class Streams:
    """The newest open stream of each call."""

    def __init__(self) -> None:
        self._open: dict[UUID, OpenStream] = {}

    @contextmanager
    def opened(self, call_id: UUID, epoch: int) -> Generator[OpenStream]:
        """Register a connection for its life; of two, the one with the older epoch is asked to yield."""
        stream = OpenStream(epoch)
        other = self._open.get(call_id)
        if other is not None and other.epoch > epoch:
            stream.ask(Request.YIELD)
        else:
            if other is not None:
                other.ask(Request.YIELD)
            self._open[call_id] = stream
        try:
            yield stream
        finally:
            stream.done.set()
            if self._open.get(call_id) is stream:
                del self._open[call_id]

    async def finish(self, call_id: UUID) -> None:
        """Let the call's stream store what it holds; go on without it after a few seconds."""
        stream = self._open.get(call_id)
        if stream is None:
            return
        stream.ask(Request.FINISH)
        try:
            await asyncio.wait_for(stream.done.wait(), FINISH_SECONDS)
        except TimeoutError:
            return
