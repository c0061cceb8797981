"""Receivers of entries for tests: a syslog server over TCP or TLS, and an HTTP server."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import trustme

T = TypeVar("T")


@dataclass
class Syslog:
    """A receiver that reads octet-counted messages; one that `dies` reads none of what came.

    One that is not `polite` ends a TLS connection as rsyslog with gtls does: without close_notify.
    """

    port: int
    context: ssl.SSLContext | None = None
    dies: bool = False
    polite: bool = True
    messages: list[str] = field(default_factory=list[str])
    cut_off: int = 0
    """Bytes of a message that did not come whole."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Syslog]:
        context = self.context if self.polite and not self.dies else None
        server = await asyncio.start_server(self._take, "127.0.0.1", self.port, ssl=context)
        try:
            yield self
        finally:
            server.close()
            await server.wait_closed()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        secure = Impolite(self.context, reader, writer) if self.context is not None else None
        if self.dies:
            if secure is not None:
                await secure.shake_hands()
            # Who does not wait for an answer has long sent everything, and taken it for received.
            await asyncio.sleep(0.5)
            # As the kernel closes for a process that was killed with bytes unread.
            line: socket.socket = writer.get_extra_info("socket")
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            return
        if secure is not None and not self.polite:
            reader = await secure.read_to_end()
        try:
            while length := await reader.readuntil(b" "):
                self.messages.append((await reader.readexactly(int(length))).decode())
        except asyncio.IncompleteReadError as end:
            self.cut_off += len(end.partial)
        finally:
            writer.close()

    def ids(self) -> list[str]:
        return [re.findall(r'entry_id="([^"]+)"', message)[0] for message in self.messages]


class Impolite:
    """The server's side of a TLS connection that sends no close_notify, which asyncio's own always does."""

    def __init__(
        self, context: ssl.SSLContext, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._reader, self._writer = reader, writer
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    async def shake_hands(self) -> None:
        await self._until_done(self._tls.do_handshake)

    async def read_to_end(self) -> asyncio.StreamReader:
        """All that was sent until the other side's close_notify."""
        decrypted = asyncio.StreamReader()
        await self.shake_hands()
        while data := await self._until_done(self._tls.read):
            decrypted.feed_data(data)
        decrypted.feed_eof()
        return decrypted

    async def _until_done(self, step: Callable[[], T]) -> T:
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                pass
            finally:
                self._writer.write(self._outgoing.read())
            if data := await self._reader.read(65536):
                self._incoming.write(data)
            else:
                self._incoming.write_eof()


def tls(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's context, and the file with who signed it."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    return context, folder / "ca.pem"


@dataclass
class Hook:
    """An HTTP server that keeps what it got, and answers what it is told to."""

    answers: list[int]
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list[tuple[dict[str, str], bytes]])

    @asynccontextmanager
    async def running(self, port: int) -> AsyncIterator[Hook]:
        server = await asyncio.start_server(self._take, "127.0.0.1", port)
        try:
            yield self
        finally:
            server.close()
            await server.wait_closed()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head)}
        self.got.append((headers, await reader.readexactly(int(headers["content-length"]))))
        status = self.answers.pop(0) if self.answers else 204
        location = b"Location: http://127.0.0.1:1/\r\n" if status == 302 else b""
        writer.write(b"HTTP/1.1 %d X\r\n%bContent-Length: 0\r\n\r\n" % (status, location))
        await writer.drain()
        writer.close()
