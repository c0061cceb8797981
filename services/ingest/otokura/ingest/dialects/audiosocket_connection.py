"""One AudioSocket connection after its UUID: what comes of it, and its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

from otokura.ingest.dialects.audiosocket_frames import BadFrame, Frame, FrameReader, Kind

READ_BYTES = 1 << 16


class Connection:
    """A socket that is read; nothing is ever written to it.

    Args:
        reader: of the socket.
        writer: of the socket.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._frames = FrameReader()
        self._rest: Iterator[Frame] = iter(())

    async def first(self) -> Frame | None:
        """The first frame; None if there is none. What came in one piece with it comes next from `frames`.

        Raises:
            BadFrame: bytes that are no frames.
            OSError: the connection broke.
        """
        while data := await self._reader.read(READ_BYTES):
            frames = self._frames.feed(data)
            if (frame := next(frames, None)) is not None:
                self._rest = frames
                return frame
        return None

    async def frames(self, silence_seconds: float) -> AsyncIterator[Frame]:
        """What comes after the first frame, until the other side closes.

        Raises:
            BadFrame: bytes that are no frames.
            OSError: the connection broke; `TimeoutError` is one of its kinds: nothing came for too long.
        """
        frames = self._rest
        while True:
            for frame in frames:
                if frame.kind == Kind.UUID:
                    raise BadFrame("a second UUID")
                yield frame
            async with asyncio.timeout(silence_seconds):
                data = await self._reader.read(READ_BYTES)
            if not data:
                return
            frames = self._frames.feed(data)

    def close(self) -> None:
        """Close the socket; AudioSocket has no words for why."""
        self._writer.close()
