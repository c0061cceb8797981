"""The streams that are open in this process.

The database alone decides who may write. This registry only makes the answer quick where both sides are in
one process: a newer connection closes the older at once, and the end of a call first stores what the
stream still holds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from contextlib import contextmanager, suppress
from uuid import UUID

from otokura.ingest.live import Live
from otokura.ingest.stream_requests import Request
from otokura.shared.errors import OtokuraError, Unavailable
from otokura.shared.logs import get_logger

log = get_logger(__name__)

FINISH_SECONDS = 5.0
TICK_SECONDS = 0.5


class Streams:
    """The newest open stream of each call."""

    def __init__(self) -> None:
        self._open: dict[UUID, Live] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def of(self, call_id: UUID) -> Live | None:
        """The call's stream, if it is open here."""
        return self._open.get(call_id)

    @contextmanager
    def opened(self, call_id: UUID, stream: Live) -> Generator[None]:
        """Register a connection for its life; of two, the one with the older epoch is asked to yield."""
        other = self._open.get(call_id)
        if other is not None and other.epoch > stream.epoch:
            stream.ask(Request.YIELD)
        else:
            if other is not None:
                other.ask(Request.YIELD)
            self._open[call_id] = stream
        try:
            yield
        finally:
            stream.done.set()
            if self._open.get(call_id) is stream:
                del self._open[call_id]

    async def finish(self, call_id: UUID) -> None:
        """Let the call's stream store what it holds; go on without it after a few seconds."""
        await self._asked_done(call_id, Request.FINISH)

    async def look_again(self, call_id: UUID | None = None) -> None:
        """Let the call's stream, or every stream, see what others changed about its call."""
        streams = list(self._open.values()) if call_id is None else [self._open.get(call_id)]
        for stream in streams:
            if stream is not None:
                try:
                    await stream.look_again()
                except Unavailable:
                    # The next segment is refused until the stream has looked.
                    log.warning("stream.not-looked-again", call_id=str(stream.call_id))
                except OtokuraError:
                    stream.fail()

    def look_again_soon(self, call_id: UUID) -> None:
        """The same, without waiting for it."""
        self._soon(self.look_again(call_id))

    def _soon(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def leave(self, call_id: UUID) -> None:
        """Let an older connection go before a newer takes its call, so that what it holds is stored."""
        await self._asked_done(call_id, Request.YIELD)

    async def _asked_done(self, call_id: UUID, request: Request) -> None:
        stream = self._open.get(call_id)
        if stream is None:
            return
        stream.ask(request)
        with suppress(TimeoutError):
            async with asyncio.timeout(FINISH_SECONDS):
                await stream.done.wait()

    async def tick(self) -> None:
        """Wake what waits for time to pass, without end."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(TICK_SECONDS)
            for stream in list(self._open.values()):
                if stream.tick(moment := loop.time()):
                    self._soon(_tend(stream, moment))  # one that must wait for room holds up no other


async def _tend(stream: Live, moment: float) -> None:
    try:
        await stream.tend(moment)
    except OtokuraError:
        stream.fail()
