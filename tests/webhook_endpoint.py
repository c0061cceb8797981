"""A vendor's server for tests: it keeps what it was sent, and misbehaves as it is told.

Written on bare sockets, so that it can answer what no HTTP server would.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks import Webhook


@dataclass(frozen=True)
class Received:
    """One request as it came."""

    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def webhook_id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str) -> Any:
        """The body, if the independent library finds a signature by this secret."""
        return Webhook(secret).verify(self.body, self.headers)


Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""What is done after a request came."""


def answers(status: int, *headers: str) -> Behaviour:
    """Answers properly with a status."""

    async def behave(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status} Whatever", "content-length: 2", *headers, "", "ok"]
        writer.write("\r\n".join(lines).encode())
        await writer.drain()

    return behave


def says(data: bytes) -> Behaviour:
    """Sends these bytes and hangs up."""

    async def behave(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        writer.close()

    return behave


async def hangs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Never answers, until the other side has had enough."""
    await reader.read()
    writer.close()


async def endless(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers 200 with a body that has no end."""
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


@dataclass
class Endpoint:
    """A server on this machine; `behave` may be changed at any time."""

    behave: Behaviour = field(default_factory=lambda: answers(200))
    received: list[Received] = field(default_factory=list[Received])
    host: str = "127.0.0.1"
    port: int = 0
    scheme: str = "http"
    under_way: int = 0
    most_under_way: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}/hook?token=query-secret"

    async def wait_for(self, count: int, patience: float = 30.0) -> list[Received]:
        """What came, once there is so much."""
        async with asyncio.timeout(patience):
            while len(self.received) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.received

    @asynccontextmanager
    async def listening(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[Endpoint]:
        """Listen, on the same port as before if there was one."""
        connections: set[asyncio.Task[None]] = set()

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(self._serve(reader, writer))
            connections.add(task)

        server = await asyncio.start_server(connected, self.host, self.port, ssl=tls)
        self.port, self.scheme = server.sockets[0].getsockname()[1], "https" if tls else "http"
        try:
            yield self
        finally:
            server.close()
            for task in connections:
                task.cancel()
            await asyncio.gather(*connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while not writer.is_closing():
                    self.received.append(await _read(reader))
                    self._changed.set()
                    self.under_way += 1
                    self.most_under_way = max(self.most_under_way, self.under_way)
                    try:
                        await self.behave(reader, writer)
                    finally:
                        self.under_way -= 1
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    request, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(request.split(" ")[1], headers, body)
