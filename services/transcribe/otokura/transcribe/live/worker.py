"""The live calls of this process: from chunks to partial transcripts."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from otokura.shared.database import Database
from otokura.shared.directory import Directory
from otokura.shared.errors import IntegrityError, NotFound, OtokuraError, Unavailable
from otokura.shared.events import LiveChunk
from otokura.shared.keys import KeyProvider
from otokura.shared.logs import get_logger
from otokura.transcribe import instruments
from otokura.transcribe.engine import RemoteEngine
from otokura.transcribe.errors import LeaseLost
from otokura.transcribe.live.hearing import Hearing
from otokura.transcribe.live.opening import Opened, open_call
from otokura.transcribe.live.publishing import Publishing

log = get_logger(__name__)

STALE = timedelta(minutes=2)
"""Audio older than this is not live any more."""
SILENT_SECONDS = 30.0
"""A call of which nothing comes for so long is over, or its connection is gone."""
KEY_SECONDS = 30.0
"""How long a call's key may take to arrive after its first audio."""
RETRY_SECONDS = 0.5
IDLE_SECONDS = 60.0
"""Without calls for so long the engine is let go."""


@dataclass(eq=False)
class _Line:
    """A call as this worker has it: not opened yet, opened, or passed over."""

    waiting: deque[tuple[int, LiveChunk]] = field(default_factory=deque[tuple[int, LiveChunk]])
    """Chunks that were not taken yet, with their offsets."""
    kept: deque[tuple[int, int]] = field(default_factory=deque[tuple[int, int]])
    """Offset and end (ms) of chunks that are not final text yet: a successor begins with the first."""
    opened: Opened | None = None
    passed_over: bool = False
    since: float = field(default_factory=time.monotonic)
    last: float = field(default_factory=time.monotonic)
    tried: float = 0.0


class LiveWorker:
    """Hears calls while they last.

    Args:
        database: transcribe's.
        keys: unwraps the calls' keys.
        directory: knows the tenants' language, vocabulary and redaction.
        engine: who listens.
        rest: called when nobody has called for a while: an engine of our own gives its memory back.
    """

    def __init__(
        self,
        database: Database,
        keys: KeyProvider,
        directory: Directory,
        engine: RemoteEngine,
        rest: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._rest_engine = rest
        self._worked = time.monotonic()
        self._parts = (database, keys, directory)
        self._publishing = Publishing(database)
        self._hearing = Hearing(engine, self._publish)
        self._lines: dict[tuple[int, UUID], _Line] = {}
        self._news = asyncio.Event()

    def take(self, partition: int, offset: int, chunk: LiveChunk) -> None:
        """Takes a chunk as it comes from a partition; never waits."""
        if datetime.now(UTC) - chunk.recorded_at > STALE:
            instruments.LIVE_CHUNKS.labels("stale").inc()
            return
        line = self._lines.setdefault((partition, chunk.call_id), _Line())
        line.last = time.monotonic()
        if not line.passed_over:
            line.waiting.append((offset, chunk))
            self._news.set()

    def low_water(self, partition: int) -> int | None:
        """The smallest offset that a successor must begin with; None when nothing is under way."""
        offsets = [
            (line.kept or line.waiting)[0][0]
            for (at, _), line in self._lines.items()
            if at == partition and (line.kept or line.waiting)
        ]
        return min(offsets, default=None)

    def drop(self, partition: int | None = None) -> None:
        """Forgets the calls of a partition, or of all: another worker has them now."""
        for key in [key for key in self._lines if partition in (None, key[0])]:
            self._forget(key)

    async def run(self) -> None:
        """Works for ever."""
        while True:
            try:
                await self._open_and_feed()
                worked = await self._hearing.step(self._opened())
                await self._sweep()
            except Unavailable as error:
                log.warning("live text waits", error=error)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                if not worked:
                    await self._rest()
                else:
                    self._worked = time.monotonic()

    async def _rest(self) -> None:
        if (
            self._rest_engine is not None
            and not self._lines
            and time.monotonic() - self._worked > IDLE_SECONDS
        ):
            self._worked = time.monotonic()
            await self._rest_engine()
        self._news.clear()
        try:
            async with asyncio.timeout(0.1):
                await self._news.wait()
        except TimeoutError:
            return

    def _opened(self) -> list[Opened]:
        return [line.opened for line in self._lines.values() if line.opened is not None]

    async def _open_and_feed(self) -> None:
        for line in list(self._lines.values()):
            if line.opened is None and line.waiting and not line.passed_over:
                await self._open(line)
            if line.opened is not None:
                self._feed(line, line.opened)

    async def _open(self, line: _Line) -> None:
        now = time.monotonic()
        if now - line.tried < RETRY_SECONDS:
            return
        line.tried = now
        try:
            line.opened = await open_call(*self._parts, line.waiting[0][1])
        except (NotFound, IntegrityError) as error:
            self._pass_over(line, error)
        else:
            if line.opened is None and now - line.since > KEY_SECONDS:
                self._pass_over(line, NotFound("The call's key has not arrived."))

    def _pass_over(self, line: _Line, error: OtokuraError) -> None:
        log.warning("live text: call passed over", call_id=str(line.waiting[0][1].call_id), error=error)
        line.passed_over = True
        line.waiting.clear()

    def _feed(self, line: _Line, opened: Opened) -> None:
        while line.waiting:
            offset, chunk = line.waiting.popleft()
            end_ms = (chunk.start_sample + chunk.samples) * 1000 // chunk.rate
            try:
                news = opened.call.take(chunk, opened.plaintext(chunk))
            except (IntegrityError, ValueError) as error:
                instruments.LIVE_CHUNKS.labels("refused").inc()
                log.warning(
                    "live text: chunk refused", call_id=str(chunk.call_id), error=type(error).__name__
                )
                continue
            instruments.LIVE_CHUNKS.labels("taken" if news else "repeated").inc()
            if news:
                line.kept.append((offset, end_ms))
        through = min(opened.call.through_ms)
        while len(line.kept) > 1 and line.kept[0][1] <= through:
            line.kept.popleft()

    async def _publish(self, opened: Opened) -> None:
        try:
            await self._publishing.publish(opened)
        except LeaseLost:
            log.info("live text: another worker has the call", call_id=str(opened.call.call_id))
            self._forget_call(opened)
        except Unavailable:
            raise
        except Exception:
            # One call must not end the others' text, nor the transcription of recordings in this process.
            log.exception("live text: call given up", call_id=str(opened.call.call_id))
            self._forget_call(opened)

    def _forget_call(self, opened: Opened) -> None:
        for key in [key for key, line in self._lines.items() if line.opened is opened]:
            self._forget(key)

    async def _sweep(self) -> None:
        """Ends calls that have gone silent, and forgets those that are over."""
        now = time.monotonic()
        for key, line in list(self._lines.items()):
            silent = now - line.last > SILENT_SECONDS
            opened = line.opened
            if opened is None:
                if silent:
                    self._forget(key)
                continue
            if silent and not opened.call.ended:
                opened.call.end()
            if opened.call.ended and not line.waiting:
                await self._publish(opened)
                if opened.call.finished and key in self._lines:
                    self._forget(key)

    def _forget(self, key: tuple[int, UUID]) -> None:
        self._lines.pop(key, None)
        self._hearing.forget(key[1])
        self._publishing.forget(key[1])
