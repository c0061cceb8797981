"""Genesys AudioHook, as Genesys speaks it: a signed handshake, numbered messages, binary audio."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from contextlib import suppress
from typing import Any, ClassVar
from uuid import uuid4

from websockets.asyncio.client import ClientConnection, connect
from websockets.datastructures import HeadersLike
from websockets.exceptions import ConnectionClosed

from dialects.continuous import interleaved
from dialects.dialect import Dialect, Piece, Wire, cut
from genesys_signing import Signer
from ingest_service import Credentials, IngestService, client_of
from otokura.ingest.audio_format import Encoding

PATH = "/v1/streams/audiohook"
ORGANIZATION = "d7934305-0972-4844-938e-9060eef73d05"
PARTICIPANT = {
    "id": "883efee8-3d6c-4537-b500-6d7ca4b92fa0",
    "ani": "+815000000001",
    "aniName": "A Customer",
    "dnis": "+81120000000",
}
MEDIA = [
    {"type": "audio", "format": "PCMU", "channels": ["external", "internal"], "rate": 8000},
    {"type": "audio", "format": "PCMU", "channels": ["external"], "rate": 8000},
    {"type": "audio", "format": "PCMU", "channels": ["internal"], "rate": 8000},
]


class AudioHookWire(Wire):
    """A session as Genesys holds it: it hears everything, and closes when it is asked to."""

    def __init__(self, socket: ClientConnection, session_id: str) -> None:
        self.socket = socket
        self.session_id = session_id
        self.seq = 0
        self.position = 0.0
        self.heard: list[dict[str, Any]] = []
        self._news = asyncio.Condition()
        self._listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        with suppress(ConnectionClosed):
            async for message in self.socket:
                told = json.loads(message)
                async with self._news:
                    self.heard.append(told)
                    self._news.notify_all()
                if told["type"] == "disconnect":
                    await self.say("close", {"reason": "disconnect"})
                elif told["type"] == "closed":
                    await self.socket.close()
        async with self._news:
            self._news.notify_all()

    def message(self, kind: str, parameters: dict[str, Any] | None = None, **changes: Any) -> str:
        """The next message; `changes` spoil it."""
        self.seq += 1
        said = {
            "version": "2",
            "id": self.session_id,
            "type": kind,
            "seq": self.seq,
            "serverseq": len(self.heard),
            "position": f"PT{self.position}S",
            "parameters": parameters or {},
        }
        return json.dumps({**said, **changes})

    async def say(self, kind: str, parameters: dict[str, Any] | None = None) -> None:
        await self.socket.send(self.message(kind, parameters))

    async def wait_for(self, kind: str, count: int = 1) -> dict[str, Any]:
        """The message of this kind that came as the `count`th."""
        async with asyncio.timeout(20), self._news:
            while True:
                found = [told for told in self.heard if told["type"] == kind]
                if len(found) >= count:
                    return found[count - 1]
                assert not self._listening.done(), self.heard
                await self._news.wait()

    async def send(self, message: str | bytes) -> None:
        await self.socket.send(message)

    async def abort(self) -> None:
        self.socket.transport.abort()
        await self.socket.wait_closed()

    async def closed(self) -> int | None:
        async with asyncio.timeout(30):
            await self.socket.wait_closed()
            await self._listening
        return self.socket.close_code


class Genesys:
    """An integration at Genesys: an API key and a client secret, registered here."""

    def __init__(self, ingest: IngestService, credentials: Credentials) -> None:
        self.ingest = ingest
        self.credentials = credentials
        self.secret = hashlib.sha256(credentials.api_key.encode()).digest()
        self.signer = Signer(credentials.api_key, self.secret)
        self.wires: list[AudioHookWire] = []

    async def register(self, **members: Any) -> None:
        body = {"client_secret": base64.b64encode(self.secret).decode(), **members}
        async with client_of(self.ingest.url, self.credentials) as client:
            answer = await client.put("/v1/connections/audiohook", json=body)
        assert answer.is_success, answer.text

    async def remove(self) -> None:
        async with client_of(self.ingest.url, self.credentials) as client:
            answer = await client.delete("/v1/connections/audiohook")
        assert answer.is_success, answer.text

    async def handshake(self) -> AudioHookWire:
        """A signed socket on which nothing was said yet."""
        session_id = str(uuid4())
        headers = self.signer.headers(self.url, session_id, ORGANIZATION)
        return await self.connect(headers, session_id)

    async def connect(self, headers: HeadersLike, session_id: str, peer: str = "127.0.0.1") -> AudioHookWire:
        """A socket with these header fields, from an address of this machine."""
        socket = await connect(
            self.url,
            additional_headers=headers,
            compression=None,
            close_timeout=2,
            max_queue=None,
            local_addr=(peer, 0),
        )
        wire = AudioHookWire(socket, session_id)
        self.wires.append(wire)
        return wire

    async def leave(self) -> None:
        """Let go of every socket."""
        for wire in self.wires:
            await wire.abort()
            await wire.closed()

    @property
    def url(self) -> str:
        return self.ingest.url.replace("http", "ws", 1) + PATH

    async def open(self, conversation_id: str, **parameters: Any) -> AudioHookWire:
        """A session that is opened."""
        wire = await self.handshake()
        await wire.say("open", open_parameters(conversation_id, **parameters))
        await wire.wait_for("opened")
        return wire


def open_parameters(conversation_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "organizationId": ORGANIZATION,
        "conversationId": conversation_id,
        "participant": PARTICIPANT,
        "media": MEDIA,
        "language": "en-US",
        **changes,
    }


class AudioHook(Dialect):
    """Two channels of µ-law; purposes and notice come from the vendor's registration."""

    name: ClassVar[str] = "audiohook"
    names_calls: ClassVar[bool] = False
    format: ClassVar[str] = "PCMU"

    def new_id(self) -> str:
        return str(uuid4())

    async def open(
        self, ingest: IngestService, credentials: Credentials, external_id: str, **fields: Any
    ) -> Wire:
        genesys = Genesys(ingest, credentials)
        defaults: dict[str, Any] = {
            name: fields[name] for name in ("purposes", "direction") if name in fields
        }
        if "notice" in fields:
            defaults["notice"] = {"given": fields["notice"], "version": fields.get("notice_version")}
        await genesys.register(defaults=defaults)
        media = [{**one, "format": self.format} for one in MEDIA]
        return await genesys.open(external_id, media=media)

    def pieces(self, audio: list[bytes]) -> list[Piece]:
        woven = interleaved(audio, self.form.sample_bytes)
        return [
            Piece(None, start, len(part) // self.form.frame_bytes, part)
            for start, part in cut(woven, self.form)
        ]

    def wrong(self) -> dict[str, tuple[str | bytes, int | None]]:
        return {
            "no JSON": ("hello", 4400),
            "a bomb of JSON": ("[" * 30_000 + "]" * 30_000, 4400),
            "too long": ("x" * 65_536, 4400),
            "half a frame": (b"\x00", 4400),
        }

    async def end(self, wire: Wire) -> None:
        assert isinstance(wire, AudioHookWire)
        await wire.say("close", {"reason": "end"})
        await wire.closed()


class AudioHookLinear(AudioHook):
    """L16, where Genesys offers no µ-law."""

    name: ClassVar[str] = "audiohook-l16"
    encoding: ClassVar[Encoding] = Encoding.PCM_S16LE
    format: ClassVar[str] = "L16"


async def send(wire: AudioHookWire, audio: list[bytes]) -> None:
    """µ-law of two channels, and the client's position after it."""
    for piece in AudioHook().pieces(audio):
        await wire.send(piece.wire)
        wire.position += piece.samples / AudioHook.rate


async def close(wire: AudioHookWire, reason: str = "end") -> None:
    """Close in the order of the protocol."""
    await wire.say("close", {"reason": reason})
    await wire.wait_for("closed")
    await wire.closed()
