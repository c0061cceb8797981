"""The sockets of one call in this process: who is connected, who hung up, and what they send."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from uuid import UUID

from otokura.ingest.dialects.audiosocket_connection import Connection
from otokura.ingest.dialects.audiosocket_frames import BadFrame, Frame, Kind
from otokura.shared.logs import get_logger

log = get_logger(__name__)

HELD_FRAMES = 32
"""Frames that wait to be recorded, of all legs together; then the sockets wait."""
LINGER_SECONDS = 5.0
"""How long a call waits for its other leg when one has hung up and none is connected."""


@dataclass(frozen=True)
class Left:
    """A leg is no longer connected.

    Attributes:
        done: it hung up; else its connection broke, and it may come back.
    """

    done: bool


@dataclass(frozen=True)
class Arrived:
    """Something of a leg, and when it came."""

    channel: int
    what: Frame | Left
    moment: float


class Legs:
    """Brings together what the sockets of one call send.

    Args:
        call_id: the call.
        channels: how many legs it has.
        silence_seconds: how long a socket may send nothing.
    """

    def __init__(self, call_id: UUID, channels: int, silence_seconds: float) -> None:
        self.taking = True
        """Whether a socket may still join."""
        self.lingers_until: float | None = None
        """When waiting for another leg ends."""
        self._call_id = call_id
        self._channels = channels
        self._silence_seconds = silence_seconds
        self._sockets: dict[int, Connection] = {}
        self._hung_up: set[int] = set()
        self._queue = asyncio.Queue[Arrived](HELD_FRAMES)

    @property
    def hung_up(self) -> bool:
        """Whether the call is over: a leg has hung up, and none is connected."""
        return bool(self._hung_up) and not self._sockets

    async def carry(self, channel: int, connection: Connection, recording: asyncio.Task[None]) -> None:
        """Carry a leg until it, or the recording, is over. An older socket of the same leg is closed."""
        older = self._sockets.get(channel)
        self._sockets[channel] = connection
        self.lingers_until = None
        if older is not None:
            older.close()
        pumping = asyncio.create_task(self._pump(channel, connection))
        try:
            await asyncio.wait({pumping, recording}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            pumping.cancel()
            await asyncio.gather(pumping, return_exceptions=True)

    async def next(self) -> Arrived:
        """What comes next of any leg; a cancelled wait loses nothing."""
        return await self._queue.get()

    def is_over(self, channel: int, left: Left) -> bool:
        """Whether nothing more is to be waited for, now that a leg has left."""
        if left.done:
            self._hung_up.add(channel)
        if self._sockets:
            return False
        if self._hung_up and len(self._hung_up) < self._channels:
            self.lingers_until = asyncio.get_running_loop().time() + LINGER_SECONDS
            return False
        self.taking = False
        return True

    async def _pump(self, channel: int, connection: Connection) -> None:
        done = False
        try:
            async for frame in connection.frames(self._silence_seconds):
                if frame.kind == Kind.HANGUP:
                    break
                await self._put(channel, frame)
            done = True
        except (BadFrame, OSError) as error:
            log.warning("audiosocket.broken", call_id=str(self._call_id), reason=str(error))
        if self._sockets.get(channel) is connection:
            del self._sockets[channel]
            await self._put(channel, Left(done))

    async def _put(self, channel: int, what: Frame | Left) -> None:
        await self._queue.put(Arrived(channel, what, asyncio.get_running_loop().time()))
