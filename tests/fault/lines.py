"""Calls under way while servers are away: each records at the pace of speech, and keeps what it was told."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from dialects.dialect import Wire
from dialects.media_streams import Twilio
from fault.history import Journal
from ingest_service import Credentials, IngestService, start_call
from otokura.shared.media.g711 import decode_mulaw

RATE, CHANNELS = 8000, 2
CHUNK_SECONDS = 0.1
CHUNK_BYTES = round(CHUNK_SECONDS * RATE) * CHANNELS
BURST_BYTES = 16_000
RETRY_SECONDS = 0.5
FINISH_SECONDS = 60.0


def noise(seed: int, seconds: float) -> bytes:
    """Interleaved µ-law that repeats nowhere, so that a sample that is lost or moved shows."""
    return np.random.default_rng(seed).integers(0, 256, round(seconds * RATE) * CHANNELS, np.uint8).tobytes()


def heard(mulaw: bytes) -> bytes:
    """The samples that it stands for, as s16le."""
    return decode_mulaw(mulaw).astype("<i2").tobytes()


class RawLine:
    """A call on the raw stream: it sends again what was not accepted."""

    def __init__(self, ingest: IngestService, credentials: Credentials, seed: int, seconds: float) -> None:
        self._ingest = ingest
        self._credentials = credentials
        self._says = noise(seed, seconds)
        self._began = 0.0
        self.told: list[int] = []
        self.spooled = 0
        self.connections = 0
        self.call_id = ""

    @property
    def journal(self) -> Journal:
        return Journal(self.call_id, heard(self._says), 2 * CHANNELS, tuple(self.told))

    async def start(self, client: httpx.AsyncClient) -> None:
        self.call_id = (await start_call(client))["id"]

    async def call(self) -> None:
        """Speak until all is accepted; connect again as often as it takes."""
        self._began = asyncio.get_running_loop().time()
        while True:
            try:
                if await self._converse():
                    return
            except (ConnectionClosed, InvalidHandshake, OSError, TimeoutError):
                await asyncio.sleep(RETRY_SECONDS)

    async def _converse(self) -> bool:
        url = self._ingest.url.replace("http", "ws", 1)
        where = f"{url}/v1/calls/{self.call_id}/stream?encoding=mulaw&rate={RATE}&channels={CHANNELS}"
        async with connect(
            where, additional_headers=self._credentials.headers, compression=None, close_timeout=2, proxy=None
        ) as socket:
            self.connections += 1
            ready = json.loads(await socket.recv())
            if ready["type"] == "error":
                await asyncio.sleep(RETRY_SECONDS)
                return False
            self._note(ready)
            reading = asyncio.create_task(self._listen(socket))
            try:
                await self._speak(socket, ready["accepted_samples"] * CHANNELS)
                await socket.send('{"type":"end"}')
                return await asyncio.wait_for(reading, FINISH_SECONDS)
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)

    async def _speak(self, socket: ClientConnection, position: int) -> None:
        """What was said meanwhile is sent at once; what is said now, as it is said."""
        while position < len(self._says):
            spoken = asyncio.get_running_loop().time() - self._began
            due = min(len(self._says), int(spoken / CHUNK_SECONDS) * CHUNK_BYTES)
            if position >= due:
                await asyncio.sleep(CHUNK_SECONDS)
                continue
            step = self._says[position : min(due, position + BURST_BYTES)]
            await socket.send(step)
            position += len(step)

    async def _listen(self, socket: ClientConnection) -> bool:
        async for text in socket:
            message = json.loads(text)
            if message["type"] == "error":
                return False
            self._note(message)
            if message["final"]:
                return bool(message["accepted_samples"] * CHANNELS == len(self._says))
        return False

    def _note(self, message: dict[str, Any]) -> None:
        self.told.append(message["accepted_samples"])
        self.spooled = max(self.spooled, message["spooled_samples"])


class TwilioLine:
    """A call that cannot send anything again: what ingest took is all there will be."""

    def __init__(self, ingest: IngestService, credentials: Credentials, seed: int, seconds: float) -> None:
        self._ingest = ingest
        self._credentials = credentials
        self._dialect = Twilio()
        self.external_id = f"CA{seed:032}"
        said = noise(seed, seconds)
        self._legs = [said[channel::CHANNELS] for channel in range(CHANNELS)]
        self.pcm = heard(said)
        self.wire: Wire | None = None

    async def call(self) -> None:
        """Speak all of it, and hang up."""
        wire = await self.open()
        await self.speak(wire, 0, len(self._legs[0]))
        await self._dialect.end(wire)

    async def open(self) -> Wire:
        self.wire = await self._dialect.open(
            self._ingest, self._credentials, self.external_id, notice="announced", purposes=["quality"]
        )
        return self.wire

    async def speak(self, wire: Wire, start: int, stop: int) -> None:
        """Say [start, stop) of the audio, in samples, at its pace."""
        began = asyncio.get_running_loop().time()
        for piece in self._dialect.pieces([leg[start:stop] for leg in self._legs]):
            ahead = piece.start / RATE - (asyncio.get_running_loop().time() - began)
            if ahead > 0:
                await asyncio.sleep(ahead)
            await wire.send(piece.wire)
