"""The wire and the base class of the dialects that come over WebSocket."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from base64 import b64encode
from typing import Any, ClassVar, cast

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from dialects.dialect import Dialect, Wire
from ingest_service import Credentials, IngestService


class WebSocketWire(Wire):
    """A WebSocket."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def send(self, message: str | bytes) -> None:
        await self.socket.send(message)

    async def abort(self) -> None:
        self.socket.transport.abort()
        await self.socket.wait_closed()

    async def closed(self) -> int | None:
        async with asyncio.timeout(30):
            await self.socket.wait_closed()
        return self.socket.close_code

    async def close(self, code: int = 1000) -> None:
        """Say goodbye."""
        await self.socket.close(code)


class WebSocketDialect(Dialect):
    """A dialect whose sessions are words in an order: nothing that ingest says changes them."""

    path: ClassVar[str]
    subprotocols: ClassVar[tuple[str, ...]] = ()

    def query(self, external_id: str, fields: dict[str, Any]) -> str:
        """Of the address, with its question mark."""
        del external_id, fields
        return ""

    def headers(self, api_key: str) -> dict[str, str]:
        """Of the opening handshake."""
        del api_key
        return {}

    @abstractmethod
    def opening(self, api_key: str, external_id: str, fields: dict[str, Any]) -> list[str | bytes]:
        """What comes before the audio."""

    @abstractmethod
    def closing(self) -> list[str | bytes]:
        """What comes after it; the socket is closed normally after that."""

    async def connect(self, ingest: IngestService, headers: dict[str, str], query: str = "") -> WebSocketWire:
        """A socket on which nothing was said yet."""
        url = ingest.url.replace("http://", "ws://") + self.path + query
        protocols = [Subprotocol(name) for name in self.subprotocols] or None
        socket = await connect(
            url,
            additional_headers=headers,
            subprotocols=protocols,
            compression=None,
            close_timeout=2,
            max_queue=None,
        )
        return WebSocketWire(socket)

    async def open(
        self, ingest: IngestService, credentials: Credentials, external_id: str, **fields: Any
    ) -> Wire:
        query = self.query(external_id, fields)
        wire = await self.connect(ingest, self.headers(credentials.api_key), query)
        for message in self.opening(credentials.api_key, external_id, fields):
            await wire.send(message)
        return wire

    async def end(self, wire: Wire) -> None:
        socket = cast("WebSocketWire", wire)
        for message in self.closing():
            await socket.send(message)
        await socket.close()


def basic(api_key: str) -> dict[str, str]:
    """The key as a password (RFC 7617); a recorded session keeps a place for it."""
    if api_key == "{api_key}":
        return {"Authorization": "Basic {basic}"}
    return {"Authorization": "Basic " + b64encode(f"otokura:{api_key}".encode()).decode()}
