"""A phone system in a storm: it records calls of real speech, and keeps what was not accepted yet.

It sends G.711 µ-law at the pace of speech. Its journal is what it recorded, decoded by FFmpeg, and what it
was told; after every interruption it goes on from the last accepted sample.
"""

from __future__ import annotations

import asyncio
import json
import random
import wave
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

import audio_files
import sounds
from fault.clients import RETRY_SECONDS, Client
from fault.history import Journal
from flac_decoding import decoded
from otokura.cli.calls.vendor import SETTLED, NewCall
from otokura.cli.demo.tenant import AGENT_ID

CHUNK_SECONDS = 0.1
LARGEST_MESSAGE = 32_000


@dataclass(frozen=True)
class Speech:
    """What one call says.

    Attributes:
        channels: 1 or 2.
        mulaw: G.711 µ-law, the channels interleaved, as it is sent.
        pcm: the same as s16le, as FFmpeg decodes it.
    """

    channels: int
    mulaw: bytes
    pcm: bytes

    @property
    def roles(self) -> tuple[str, ...]:
        """Who is on the channels."""
        return ("agent", "customer") if self.channels > 1 else ("mixed",)


def speech(seed: int, seconds: float, channels: int) -> Speech:
    """Telephone prompts, on the channels by turns, cut after so long."""
    chosen = random.Random(seed)
    length = round(seconds * sounds.RATE)
    # Noise that repeats nowhere: a sample that is lost or moved shows, also in a pause.
    call = np.random.default_rng(seed).normal(0, 40, (length, channels)).round().astype(np.int16)
    at = turn = 0
    while at < length:
        said = prompt(chosen.choice(sounds.PROMPTS)[0])[: length - at]
        call[at : at + len(said), turn % channels] += said
        at += len(said) + sounds.RATE // 2
        turn += 1
    pcm = call.astype("<i2").tobytes()
    mulaw, wav = (
        audio_files.encoded(pcm, sounds.RATE, channels, form, "pcm_mulaw") for form in ("mulaw", "wav")
    )
    return Speech(channels, mulaw, decoded(wav, channels))


def prompt(name: str) -> NDArray[np.int16]:
    """A telephone prompt's samples, quiet enough for noise beside it."""
    with wave.open(str(sounds.fetch() / f"{name}.wav")) as file:
        samples: NDArray[np.int16] = np.frombuffer(file.readframes(file.getnframes()), "<i2") // np.int16(2)
    return samples


class Phone:
    """One call, from its start until it is settled.

    Args:
        url: of ingest.
        api_key: of the vendor.
        answers: counts the statuses of all answers.
        external_id: the phone system's own id of the call, also its idempotency key.
        says: what is said.
    """

    def __init__(self, url: str, api_key: str, answers: Counter[int], external_id: str, says: Speech) -> None:
        self._headers = {"X-API-Key": api_key}
        self._client = Client(url, self._headers, answers)
        self._socket_url = url.replace("http", "ws", 1)
        self._answers = answers
        self._external_id = external_id
        self._says = says
        self._told: list[int] = []
        self._final = False
        self.call_id = ""

    @property
    def journal(self) -> Journal:
        """What this phone knows of its call."""
        return Journal(self.call_id, self._says.pcm, 2 * self._says.channels, tuple(self._told))

    async def call(self) -> None:
        """Makes the call: returns when all of its audio is accepted and its end is known."""
        new = NewCall(self._external_id, self._says.roles, agent_id=AGENT_ID, language="en")
        once = {"Idempotency-Key": self._external_id}
        self.call_id = str(
            (await self._client.insist("POST", "/v1/calls", json=new.body(), headers=once)).json()["id"]
        )
        began = asyncio.get_running_loop().time()
        while not await self._stream(began):  # noqa: ASYNC110 - an attempt, not a look
            await asyncio.sleep(RETRY_SECONDS)
        await self._client.insist("POST", f"/v1/calls/{self.call_id}/end")

    async def settled(self) -> dict[str, Any]:
        """The call once it has its final state."""
        while True:
            call: dict[str, Any] = (await self._client.insist("GET", f"/v1/calls/{self.call_id}")).json()
            if call["state"] in SETTLED:
                await self._client.close()
                return call
            await asyncio.sleep(1.0)

    async def _stream(self, began: float) -> bool:
        """One attempt; whether all is accepted now."""
        try:
            async with self._connection() as socket:
                await self._converse(socket, began)
        except InvalidStatus as refusal:
            self._note_status(refusal.response.status_code)
        except (ConnectionClosed, InvalidHandshake, OSError, TimeoutError):
            return self._final
        return self._final

    def _connection(self) -> connect:
        query = f"encoding=mulaw&rate={sounds.RATE}&channels={self._says.channels}"
        return connect(
            f"{self._socket_url}/v1/calls/{self.call_id}/stream?{query}",
            additional_headers=self._headers,
            compression=None,
            close_timeout=2,
            open_timeout=10,
            proxy=None,
        )

    async def _converse(self, socket: ClientConnection, began: float) -> None:
        """One connection: send from where ingest has got to, and listen until it has all or breaks off."""
        self._take(json.loads(await asyncio.wait_for(socket.recv(), 30)))
        sending = asyncio.create_task(self._send(socket, self._told[-1] * self._says.channels, began))
        try:
            async for text in socket:
                self._take(json.loads(text))
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _send(self, socket: ClientConnection, sent: int, began: float) -> None:
        """What was recorded meanwhile at once, the rest as it is spoken."""
        mulaw, channels, clock = self._says.mulaw, self._says.channels, asyncio.get_running_loop().time
        while sent < len(mulaw):
            spoken = min(len(mulaw), int((clock() - began) * sounds.RATE) * channels)
            piece = mulaw[sent : min(spoken, sent + LARGEST_MESSAGE)]
            if piece:
                await socket.send(piece)
                sent += len(piece)
            if sent == spoken:
                await asyncio.sleep(CHUNK_SECONDS)
        await socket.send('{"type":"end"}')

    def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "error":
            self._note_status(int(message["problem"]["status"]))
            raise ConnectionError(message["problem"]["title"])
        self._told.append(message["accepted_samples"])
        self._final = bool(message.get("final"))

    def _note_status(self, status: int) -> None:
        self._answers[status] += 1
        assert status >= 500, f"call {self.call_id} is refused with {status}"
