"""What the sockets of one call become: one stream, each leg in its channel.

A call with one channel has one socket. A call with two has a socket for each: both must reach the same
process, since one of them writes the call's audio. Their frames carry no times, so a leg's place is counted
from the moment at which its first audio came.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from otokura.ingest.alignment import Frames, Hole
from otokura.ingest.audio_format import PCM_BYTES, Encoding, StreamFormat
from otokura.ingest.connections.sockets import Leg
from otokura.ingest.connections.views import Dialect
from otokura.ingest.dependencies import Caller
from otokura.ingest.dialects.audiosocket_connection import Connection
from otokura.ingest.dialects.audiosocket_frames import Frame, Kind
from otokura.ingest.dialects.audiosocket_legs import Arrived, Left, Legs
from otokura.ingest.errors import RateChanged
from otokura.ingest.hanging_up import end_call_of
from otokura.ingest.live import Live
from otokura.ingest.opening import open_live
from otokura.ingest.pace import Pace
from otokura.ingest.repository import find
from otokura.ingest.state import State
from otokura.shared.errors import OtokuraError
from otokura.shared.logs import get_logger

log = get_logger(__name__)

SILENCE_SECONDS = 0.02
"""What a silence frame stands for: the length of Asterisk's frames. Asterisk itself sends none."""
LOOK_SECONDS = 0.25
"""How often two legs are held against the clock while nothing comes."""


@dataclass(frozen=True)
class Due:
    """Time has passed: held audio, or the wait for another leg, is over. `final`: nothing is waited for."""

    final: bool


class CallRecording:
    """Records one call in this process, from its first socket to its last.

    Args:
        state: the process's connections.
        leg: of the first socket.
    """

    def __init__(self, state: State, leg: Leg) -> None:
        self._state = state
        self._leg = leg
        self._legs = Legs(leg.call_id, leg.channels, state.settings.stream_silence_seconds)
        self.task = asyncio.create_task(self._record(), name=f"audiosocket-{leg.call_id}")

    @property
    def taking(self) -> bool:
        """Whether a socket may still join; else whoever comes waits for `task` and begins anew."""
        return self._legs.taking

    async def carry(self, channel: int, connection: Connection) -> None:
        """Carry a leg until it, or the call, is over."""
        await self._legs.carry(channel, connection, self.task)

    async def stop(self) -> None:
        """Let go of the call: what came is kept, and the call stays live."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def _record(self) -> None:
        try:
            first = await self._first_audio()
            if first is not None:
                await self._stream(*first)
            elif self._legs.hung_up:
                await self._end_without_audio()
        except OtokuraError as error:
            log.warning("stream.closed", dialect=Dialect.AUDIOSOCKET.value, reason=error.code, error=error)
        finally:
            self._legs.taking = False

    async def _first_audio(self) -> tuple[Arrived, int] | None:
        """The first audio, whose kind tells the rate; None if every leg leaves before it."""
        try:
            while True:
                async with asyncio.timeout_at(self._legs.lingers_until):
                    arrived = await self._legs.next()
                if isinstance(arrived.what, Left):
                    if self._legs.is_over(arrived.channel, arrived.what):
                        return None
                elif arrived.what.rate is not None:
                    return arrived, arrived.what.rate
        except TimeoutError:
            return None

    async def _stream(self, first: Arrived, rate: int) -> None:
        fmt = StreamFormat(Encoding.PCM_S16LE, rate, self._leg.channels)
        caller = Caller(self._leg.tenant_id, self._leg.client_id)
        async with open_live(self._state, caller, self._leg.call_id, fmt) as live:
            await Stream(live, self._legs, first).run()
            self._legs.taking = False
            if self._legs.hung_up and live.asked is None:
                await live.end()

    async def _end_without_audio(self) -> None:
        self._legs.taking = False
        async with self._state.database.session() as session:
            call = await find(session, self._leg.call_id, self._leg.tenant_id)
        await end_call_of(self._state, call)


@dataclass
class _Track:
    """One of two channels: held against the clock by itself, and placed beside the other."""

    pace: Pace
    position: int
    """Where its next sample belongs, counted from the stream's beginning."""


class Stream:
    """What the legs send, on its way into the call.

    Args:
        live: the call's stream.
        legs: whence it comes.
        first: the first audio.
    """

    def __init__(self, live: Live, legs: Legs, first: Arrived) -> None:
        self._live = live
        self._legs = legs
        self._first: Arrived | None = first
        self._began = first.moment
        self._rate = live.format.rate
        self._tracks: dict[int, _Track] = {}
        self._asked = False
        self._time = asyncio.get_running_loop().time

    async def run(self) -> None:
        """Record until the legs are over, or the process asks for something.

        Raises:
            OtokuraError: as `Live.run`.
        """
        try:
            await self._live.run(self._receive, self._handle)
        finally:
            await self._release()

    async def _receive(self) -> Arrived | Due:
        """What comes next, or that time has passed. When the process asks for something, nothing is held."""
        if self._first is not None:
            first, self._first = self._first, None
            return first
        if self._tracks and self._live.asked is not None and not self._asked:
            self._asked = True
            return Due(final=True)
        deadline = self._time() + LOOK_SECONDS if self._tracks else None
        if self._legs.lingers_until is not None:
            deadline = min(deadline or self._legs.lingers_until, self._legs.lingers_until)
        try:
            async with asyncio.timeout_at(deadline):
                return await self._legs.next()
        except TimeoutError:
            return Due(final=False)

    async def _handle(self, arrived: Arrived | Due) -> bool:
        if isinstance(arrived, Due):
            return await self._handle_time(arrived)
        if isinstance(arrived.what, Left):
            return not self._legs.is_over(arrived.channel, arrived.what)
        samples = self._samples(arrived.what)
        if samples and self._live.format.channels == 1:
            await self._live.paced(samples)
        elif samples:
            track = self._track(arrived.channel, arrived.moment)
            await self._write(arrived.channel, track, track.pace.arrived(samples, arrived.moment))
        return True

    async def _handle_time(self, due: Due) -> bool:
        if due.final:
            await self._release()
            return True
        now = self._time()
        for channel, track in self._tracks.items():
            await self._write(channel, track, track.pace.due(now))
        lingers = self._legs.lingers_until
        return lingers is None or now < lingers

    async def _release(self) -> None:
        for channel, track in self._tracks.items():
            await self._write(channel, track, track.pace.release())

    def _samples(self, frame: Frame) -> bytes:
        """A frame's audio. Digits are dropped: they may be a card's, and nobody needs them here.

        Raises:
            RateChanged: the frame has another rate than those before.
        """
        if frame.rate is not None:
            if frame.rate != self._rate:
                raise RateChanged(self._rate, frame.rate)
            return frame.payload
        if frame.kind == Kind.SILENCE:
            return bytes(PCM_BYTES * round(SILENCE_SECONDS * self._rate))
        if frame.kind == Kind.ERROR:
            log.warning("audiosocket.error", call_id=str(self._live.call_id), code=frame.error)
        return b""

    def _track(self, channel: int, moment: float) -> _Track:
        track = self._tracks.get(channel)
        if track is None:
            pace = Pace(StreamFormat(Encoding.PCM_S16LE, self._rate, 1))
            track = self._tracks[channel] = _Track(pace, round((moment - self._began) * self._rate))
        return track

    async def _write(self, channel: int, track: _Track, due: list[Frames | Hole]) -> None:
        for one in due:
            if isinstance(one, Frames):
                await self._live.place(channel, track.position, one.data)
            track.position += one.samples
