"""One connection's audio on its way into a call, whatever the dialect.

An adapter reads its own wire and tells `Live` what comes: frames of all channels, samples of one channel at a
place, or a span without audio. `Live` hears what the rest of the process, and other instances, want of the
stream: a pause, its end, another's takeover. `Intake` cuts, encrypts and hands on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

from otokura.ingest.alignment import WINDOW_SECONDS, Aligner, Frames, Hole
from otokura.ingest.audio_format import StreamFormat
from otokura.ingest.errors import Fenced, MalformedAudio, StreamSilent
from otokura.ingest.intake import Intake
from otokura.ingest.pace import Pace
from otokura.ingest.progress import Progress
from otokura.ingest.stream_requests import Request
from otokura.shared.manifest import GapReason

M = TypeVar("M")


class Live:
    """What a dialect adapter drives.

    Args:
        intake: where the audio goes.
        silence_seconds: how long nothing may come.
    """

    def __init__(self, intake: Intake, silence_seconds: float) -> None:
        self.asked: Request | None = None
        self.done = asyncio.Event()
        self.on_gate: Callable[[], None] | None = None
        """Called when what may be recorded may have changed: a dialect that can stop its sender does so."""
        self._intake = intake
        self._silence_seconds = silence_seconds
        self._aligner: Aligner | None = None
        self._pace: Pace | None = None
        self._task: asyncio.Task[object] | None = None
        self._waiting = self._interrupted = False
        self._heard = 0
        self._seen = (-1, 0.0)
        self._ends = self._waited = self._tended = False

    @property
    def call_id(self) -> UUID:
        """The call that is recorded."""
        return self._intake.claim.call_id

    @property
    def epoch(self) -> int:
        """Of the claim: newer is greater."""
        return self._intake.claim.epoch

    @property
    def format(self) -> StreamFormat:
        """What the samples are."""
        return self._intake.format

    @property
    def position(self) -> int:
        """Where on the call's timeline the next sample will lie."""
        return self._intake.position

    def lets_wait(self, catch_up: Callable[[], Awaitable[None]]) -> None:
        """The adapter may leave audio at the socket for a while; `catch_up` takes it at once."""
        self._intake.catch_up = catch_up

    @property
    def withheld(self) -> GapReason | None:
        """Why what comes now is not recorded; None: it is."""
        return self._intake.withheld

    def progress(self, *, ready: bool = False, final: bool = False) -> Progress:
        """How far the call is, as a client may be told."""
        return self._intake.progress(ready=ready, final=final)

    async def frames(self, data: bytes) -> None:
        """Take interleaved samples of all channels, next on the timeline: any whole number of frames.

        Waits only when too much is held.

        Raises:
            MalformedAudio: the bytes end inside a frame.
            TooLarge: the call is longer than any call may be.
            OtokuraError: the call is lost to this connection: `Fenced`, `CallClosed`, `NotStored`.
        """
        await self._intake.take(data)

    async def paced(self, data: bytes) -> None:
        """Take the next frames of a stream that says no times, and that may leave time out (`Pace`).

        What the clock shows to be missing becomes a gap (`lost`).

        Raises:
            OtokuraError: as `frames`.
        """
        self.format.check(data)
        if self._pace is None:
            self._pace = Pace(self.format)
            self._intake.before_change = self._empty
        await self._absorb(self._pace.arrived(data, asyncio.get_running_loop().time()))

    async def place(self, channel: int, start: int, data: bytes) -> None:
        """Take samples of one channel at a place: `start` in samples since this connection began.

        They may come in any order within half a second; repeats are dropped, and what never comes is a gap
        (`lost`) of that channel. A clock that runs away from its samples is corrected and told as drift.

        Raises:
            OtokuraError: as `frames`.
        """
        if not data or len(data) % self.format.sample_bytes:
            raise MalformedAudio(
                f"{len(data)} bytes are not a whole number of {self.format.sample_bytes}-byte samples."
            )
        if self._aligner is None:
            self._aligner = Aligner(self.format)
            self._intake.before_change = self._empty
        self._intake.check_reach(start + len(data) // self.format.sample_bytes)
        self._aligner.place(channel, start, data)
        self._intake.drift = self._aligner.drift
        await self._absorb(self._aligner.take())

    async def gap(self, samples: int, reason: GapReason) -> None:
        """Move the timeline on over a span that was not recorded, in all channels.

        Raises:
            OtokuraError: as `frames`.
        """
        await self._absorb(self._drained())
        await self._intake.skip(samples, reason)

    def withhold(self, reason: GapReason | None) -> None:
        """The dialect's own pause: what comes from now on is a gap of this reason, until None."""
        self._intake.withhold(reason)

    async def flush(self, *, everything: bool = True) -> None:
        """Cut and hand on what is held; or only that for which no channel may bring more."""
        await self._absorb(self._drained(everything=everything))
        await self._intake.flush()

    async def store(self) -> None:
        """Cut what is held, and wait until it is accepted.

        Raises:
            OtokuraError: as `finish`.
        """
        await self.flush()
        await self._intake.stored()

    async def finish(self) -> None:
        """Store everything that came, and wait until it is accepted.

        Raises:
            NotStored: it was not in the time that a client is made to wait.
            OtokuraError: as `frames`.
        """
        await self._absorb(self._drained())
        await self._intake.finish()

    async def end(self) -> None:
        """Store everything that came and end the call; sealing follows when all is accepted.

        Raises:
            OtokuraError: as `frames`.
        """
        await self._absorb(self._drained())
        await self._intake.end()

    async def run(self, receive: Callable[[], Awaitable[M]], handle: Callable[[M], Awaitable[bool]]) -> None:
        """Read until `handle` returns False, or until the process asks for something.

        What has arrived goes before what is asked. When the call is ended elsewhere everything is stored and
        this returns.

        Args:
            receive: the next message; it must lose nothing when it is cancelled.
            handle: what to do with it; never cancelled.

        Raises:
            Fenced: a newer connection took over.
            StreamSilent: nothing came for too long.
            OtokuraError: what `handle` raises, or why delivery failed.
        """
        self._task = asyncio.current_task()
        try:
            while self.asked is None:
                self._waiting = True
                message = await receive()
                self._waiting = False
                self._heard += 1
                if not await handle(message):
                    return
        except asyncio.CancelledError:
            if not self._take_back_cancellation():
                raise
        finally:
            self._waiting = False
        if self.asked is not None:
            await self._obey(self.asked, receive, handle)

    async def _obey(
        self, asked: Request, receive: Callable[[], Awaitable[M]], handle: Callable[[M], Awaitable[bool]]
    ) -> None:
        if asked is Request.YIELD:
            raise Fenced
        if asked is Request.FAIL:
            raise self._intake.error or Fenced()
        if asked is Request.LEAVE:
            await self.flush()
            raise StreamSilent(self._silence_seconds)
        await self._intake.catch_up()
        while await self._has_more(receive, handle):
            continue
        await (self.end() if self._ends else self.finish())

    async def _has_more(
        self, receive: Callable[[], Awaitable[M]], handle: Callable[[M], Awaitable[bool]]
    ) -> bool:
        """Handle one message that has arrived already; False when there is none, or it is the last."""
        try:
            async with asyncio.timeout(0):
                message = await receive()
        except TimeoutError:
            return False
        return await handle(message)

    def ask(self, request: Request) -> None:
        """Ask once; the first request stands."""
        if self.asked is None:
            self.asked = request
            if self._waiting:
                asyncio.get_running_loop().call_soon(self._interrupt)

    def _interrupt(self) -> None:
        """Cut the wait short, and nothing but the wait: a message under way is handled first."""
        if self._waiting and self._task is not None and not self._interrupted:
            self._interrupted = True
            self._task.cancel()

    def _take_back_cancellation(self) -> bool:
        """Whether the cancellation was ours, and nobody else's besides."""
        if not self._interrupted or self._task is None:
            return False
        self._interrupted = False
        return self._task.uncancel() == 0

    async def look_again(self) -> None:
        """Somebody changed the call: do what follows.

        Raises:
            Unavailable: the database is away.
        """
        if await self._intake.look_again():
            self._ends = True
            self.ask(Request.FINISH)
        elif self._intake.error is not None:
            self.fail()
        elif self.on_gate is not None:
            self.on_gate()

    def fail(self) -> None:
        """The call is lost to this connection: `run` raises why."""
        self.ask(Request.FAIL)

    def delivered(self) -> None:
        """More is accepted or spooled, or delivery failed for good."""
        if self._intake.error is not None:
            self.fail()

    def tick(self, moment: float) -> bool:
        """Called about twice a second: leaves a silent connection; True if `tend` has something to do."""
        heard, since = self._seen
        if heard != self._heard:
            self._seen = (self._heard, moment)
        elif moment - since > self._silence_seconds:
            self.ask(Request.LEAVE)
        more = self._aligner is not None and self._aligner.holds
        self._waited = self._intake.waited_too_long(moment, more) or self._waited
        return (self._waited or self._pace is not None) and not self._tended

    async def tend(self, moment: float) -> None:
        """Take what time brings: gaps of a paced stream, and what is held for too long. One at a time.

        Raises:
            OtokuraError: as `frames`.
        """
        self._tended = True
        try:
            if self._pace is not None:
                await self._absorb(self._pace.due(moment))
            if self._waited:
                self._waited = False
                heard, since = self._seen
                still = heard == self._heard and moment - since >= WINDOW_SECONDS
                await self.flush(everything=still)
        finally:
            self._tended = False

    def _drained(self, *, everything: bool = True) -> list[Frames | Hole]:
        held = [] if self._pace is None else self._pace.release()
        return held if self._aligner is None else held + self._aligner.take(least=1, everything=everything)

    def _empty(self) -> None:
        """Before what may be recorded changes: what came until now belongs to the time before."""
        for one in self._drained():
            self._intake.note_due(one)

    async def _absorb(self, taken: list[Frames | Hole]) -> None:
        for one in taken:
            await self._intake.absorb(one)
