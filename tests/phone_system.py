"""A phone system as a test plays it: it keeps a journal of what it recorded, and resumes where it must."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from ingest_service import Credentials

FRAME_SECONDS = 0.02


def speechlike(seconds: float, rate: int, channels: int, seed: int = 0) -> bytes:
    """Interleaved s16le that compresses like speech and repeats nowhere, so that a lost sample shows."""
    generator = np.random.default_rng(seed)
    count = round(seconds * rate)
    time = np.arange(count)[:, None] / rate
    tones = 6000 * np.sin(2 * np.pi * (180 + 90 * np.arange(channels)) * time)
    noise = generator.normal(0, 400, (count, channels))
    return np.clip(tones + noise, -32768, 32767).astype("<i2").tobytes()


@asynccontextmanager
async def stream(
    url: str,
    call_id: str,
    credentials: Credentials,
    *,
    encoding: str = "pcm_s16le",
    rate: object = 8000,
    channels: object = 2,
) -> AsyncIterator[ClientConnection]:
    """An open raw stream."""
    where = url.replace("http://", "ws://")
    query = f"encoding={encoding}&rate={rate}&channels={channels}"
    async with connect(
        f"{where}/v1/calls/{call_id}/stream?{query}",
        additional_headers=credentials.headers,
        compression=None,
        close_timeout=2,
    ) as socket:
        yield socket


async def told(socket: ClientConnection) -> dict[str, Any]:
    """The next message."""
    message: dict[str, Any] = json.loads(await asyncio.wait_for(socket.recv(), 30))
    return message


async def send_all(socket: ClientConnection, pcm: bytes, chunk: int = 3200) -> None:
    for start in range(0, len(pcm), chunk):
        await socket.send(pcm[start : start + chunk])


async def end_stream(socket: ClientConnection) -> dict[str, Any]:
    """Say `end`, and read on until the final message."""
    await socket.send('{"type":"end"}')
    while True:
        message = await told(socket)
        if message.get("final") or message["type"] == "error":
            return message


class JournalledStream:
    """Sends a journal whole, over as many connections as it takes.

    The truth of the tests: `pcm` is what the phone system recorded, `accepted` what it was told is safe.
    """

    def __init__(self, url: str, call_id: str, credentials: Credentials, pcm: bytes, frame: int) -> None:
        self._where = (url, call_id, credentials)
        self._pcm = pcm
        self._frame = frame
        self.accepted = 0
        self.connections = 0
        self.progressed = asyncio.Event()

    async def run(self, *, pace: float = 0.0) -> None:
        """Returns when all is accepted.

        Args:
            pace: seconds to wait between messages of 100 ms.
        """
        while self.accepted * self._frame < len(self._pcm):
            try:
                async with stream(*self._where) as socket:
                    self.connections += 1
                    await self._converse(socket, pace)
            except (ConnectionClosed, InvalidHandshake, OSError, TimeoutError):
                await asyncio.sleep(0.1)

    async def _converse(self, socket: ClientConnection, pace: float) -> None:
        ready = await told(socket)
        if ready["type"] == "error":
            raise AssertionError(ready)
        assert ready["accepted_samples"] >= self.accepted, "what was accepted is gone"
        listening = asyncio.create_task(self._listen(socket))
        try:
            rest = self._pcm[ready["accepted_samples"] * self._frame :]
            for start in range(0, len(rest), 3200):
                await socket.send(rest[start : start + 3200])
                if pace:
                    await asyncio.sleep(pace)
            await socket.send('{"type":"end"}')
            await listening
        finally:
            listening.cancel()

    async def _listen(self, socket: ClientConnection) -> None:
        async for message in socket:
            progress = json.loads(message)
            if progress["type"] == "accepted":
                self.accepted = progress["accepted_samples"]
                self.progressed.set()
