"""Asterisk's AudioSocket, as Asterisk speaks it: a UUID, then frames, over TCP."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any, ClassVar
from uuid import UUID

import httpx

from dialects.dialect import Dialect, Piece, Wire, cut
from ingest_service import Credentials, IngestService, call_body, client_of
from otokura.ingest.audio_format import Encoding
from otokura.shared.ids import uuid7

KINDS = {8000: 0x10, 12000: 0x11, 16000: 0x12, 24000: 0x13, 32000: 0x14, 44100: 0x15, 48000: 0x16}
HANGUP = b"\x00\x00\x00"


def frame(kind: int, payload: bytes) -> bytes:
    return bytes([kind]) + len(payload).to_bytes(2, "big") + payload


def uuid_frame(name: str) -> bytes:
    return frame(0x01, UUID(name).bytes)


class TcpWire(Wire):
    """A TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, address: str) -> TcpWire:
        host, _, port = address.rpartition(":")
        return cls(*await asyncio.open_connection(host, int(port)))

    async def send(self, message: str | bytes) -> None:
        assert isinstance(message, bytes)
        self.writer.write(message)
        await self.writer.drain()

    async def abort(self) -> None:
        """A reset, as when the network or the machine dies."""
        raw: socket.socket = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def close(self) -> None:
        """What Asterisk does when its channel hangs up."""
        self.writer.close()

    async def closed(self) -> int | None:
        """Nothing is ever said on it but its end."""
        async with asyncio.timeout(30):
            assert await self.reader.read() == b""
        self.writer.close()
        return None


async def register(client: httpx.AsyncClient, call_id: str, channel: int = 0) -> dict[str, Any]:
    """A UUID for a channel of the call, and the address to connect to."""
    response = await client.post(
        f"/v1/calls/{call_id}/audiosocket",
        json={"channel": channel},
        headers={"Idempotency-Key": str(uuid7())},
    )
    assert response.status_code == 201, response.text
    found: dict[str, Any] = response.json()
    return found


class AudioSocket(Dialect):
    """One channel. The call itself is started over HTTP: the protocol carries nothing but a UUID."""

    name: ClassVar[str] = "audiosocket"
    encoding: ClassVar[Encoding] = Encoding.PCM_S16LE
    roles: ClassVar[tuple[str, ...]] = ("mixed",)

    async def open(
        self, ingest: IngestService, credentials: Credentials, external_id: str, **fields: Any
    ) -> TcpWire:
        async with client_of(ingest.url, credentials) as client:
            call_id = fields.pop("call_id", None) or await self._call(ingest, client, external_id, fields)
            registered = await register(client, call_id)
        wire = await TcpWire.connect(registered["address"])
        await wire.send(uuid_frame(registered["uuid"]))
        return wire

    async def _call(
        self, ingest: IngestService, client: httpx.AsyncClient, external_id: str, fields: dict[str, Any]
    ) -> str:
        query = "SELECT id FROM calls WHERE external_id = :name AND state = 'live'"
        for row in await ingest.query(query, name=external_id):
            return str(row.id)
        notice = {"given": fields.pop("notice", "none"), "version": fields.pop("notice_version", None)}
        channels = [{"role": role} for role in self.roles]
        body = call_body(**fields, external_id=external_id, channels=channels, notice=notice)
        started = await client.post("/v1/calls", json=body, headers={"Idempotency-Key": str(uuid7())})
        assert started.status_code == 201, started.text
        return str(started.json()["id"])

    def pieces(self, audio: list[bytes]) -> list[Piece]:
        [samples] = audio
        width = self.form.sample_bytes
        return [
            Piece(None, start, len(part) // width, frame(KINDS[self.rate], part))
            for start, part in cut(samples, self.form)
        ]

    def wrong(self) -> dict[str, tuple[str | bytes, int | None]]:
        other = next(kind for rate, kind in KINDS.items() if rate != self.rate)
        return {
            "a kind that is none": (b"\x7f\x00\x00", None),
            "half a sample": (frame(KINDS[self.rate], bytes(3)), None),
            "a frame of nothing": (frame(KINDS[self.rate], b""), None),
            "a second UUID": (uuid_frame(str(UUID(int=1))), None),
            "another rate": (frame(other, bytes(4)), None),
        }

    async def end(self, wire: Wire) -> None:
        await wire.send(HANGUP)
        await wire.closed()


class AudioSocketWide(AudioSocket):
    """At 16 kHz, as `c(slin16)` asks for."""

    name: ClassVar[str] = "audiosocket-16k"
    rate: ClassVar[int] = 16000
