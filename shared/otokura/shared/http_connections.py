"""Connections that say nothing, or never finish saying it: bounded in time, bytes and number.

uvicorn waits without end for the head of a request and takes any number of connections. Here a connection
that owes us a head has some seconds for all of it, as in nginx (`client_header_timeout`), and a head has at
most `MAX_HEAD` bytes. When the process is full, the connection that has been silent longest makes room for
a new one, so that whoever only holds sockets open keeps nobody out; when none is silent, the new one is
refused at once. What is being served, a WebSocket above all, is never touched.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Collection, Generator
from contextlib import contextmanager
from typing import Any

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from otokura.shared import logs, metrics

log = logs.get_logger(__name__)

MAX_HEAD = 64 * 1024
"""Bytes of a request's line and headers, as h11 has it by default; httptools has no bound."""
RESERVED_FILES = 512
"""Of the open files that a process may have, those kept for what are no HTTP connections."""

CONNECTIONS = metrics.gauge("otokura_http_connections_count", "Open connections, WebSockets among them.")
CLOSED = metrics.counter(
    "otokura_http_connections_closed_total",
    "Connections that were refused or cut before a request was whole.",
    ("reason",),
)
_AT_SHUTDOWN = "otokura.at_shutdown"
_TOO_LONG = b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
)


class Guard:
    """Knows which connections of a process owe a head, the one that has owed it longest first.

    All have the same time, so that one timer does for all of them: ten thousand silent sockets cost an
    entry each.

    Args:
        most: how many connections the process may have.
        head_seconds: the time for a whole head.
    """

    def __init__(self, most: int, head_seconds: float) -> None:
        self._most = most
        self._seconds = head_seconds
        self._owing: dict[GuardedProtocol, float] = {}
        self.connections: Collection[object] = ()
        CONNECTIONS.set_function(lambda: len(self.connections))
        self._timer: asyncio.TimerHandle | None = None

    def admits(self, connections: int) -> bool:
        """Whether one more may come; the one that has been silent longest goes for it, if need be."""
        if connections < self._most:
            return True
        if not self._owing:
            CLOSED.labels("full").inc()
            return False
        self._cut(next(iter(self._owing)), "displaced")
        return True

    def watch(self, connection: GuardedProtocol) -> None:
        """A head is owed from now on; told again, nothing changes."""
        if connection in self._owing:
            return
        self._owing[connection] = connection.loop.time() + self._seconds
        if self._timer is None:
            self._timer = connection.loop.call_later(self._seconds, self._expire, connection.loop)

    def forget(self, connection: GuardedProtocol) -> None:
        """The head is whole, or the connection is gone."""
        self._owing.pop(connection, None)

    def _expire(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        while self._owing:
            connection, deadline = next(iter(self._owing.items()))
            if deadline > now:
                self._timer = loop.call_later(deadline - now, self._expire, loop)
                return
            self._cut(connection, "silent")
        self._timer = None

    def _cut(self, connection: GuardedProtocol, reason: str) -> None:
        self.forget(connection)
        CLOSED.labels(reason).inc()
        connection.transport.abort()


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with a guard: `http=functools.partial(GuardedProtocol, guard=…)`."""

    def __init__(self, *args: Any, guard: Guard, **options: Any) -> None:
        super().__init__(*args, **options)
        self._guard = guard
        guard.connections = self.connections
        self._head_bytes = 0
        self._in_body = False
        self._upgraded = False
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Takes the connection, or refuses it at once."""
        if not self._guard.admits(len(self.connections)):
            transport.write(_FULL)
            transport.close()
            return
        super().connection_made(transport)
        self._guard.watch(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets it; a refused one was never made."""
        self._guard.forget(self)
        if self in self.connections:
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feeds the parser, and looks at what is still owed after it."""
        if self._refused or self not in self.connections or self.transport.is_closing():
            return
        body = self._in_body
        super().data_received(data)
        # Whatever its annotation says, it is None before the first request.
        served = not getattr(self.cycle, "response_complete", True)
        if served or self._upgraded:
            self._head_bytes = 0
            self._guard.forget(self)
            return
        # Owed: a head, or the rest of a body that nobody reads any more since it was answered.
        self._guard.watch(self)
        if not body and not self._in_body:
            self._count(len(data))

    def handle_websocket_upgrade(self) -> None:
        """From here on another protocol has the connection."""
        self._upgraded = True
        super().handle_websocket_upgrade()

    def on_headers_complete(self) -> None:
        """A head is whole; its body follows."""
        self._in_body = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body is whole; the next head follows."""
        self._in_body = False
        super().on_message_complete()

    def shutdown(self) -> None:
        """The process is to end: a response without an end of its own is told so."""
        scope = getattr(self.cycle, "scope", None)
        if scope is not None and _AT_SHUTDOWN in scope:
            scope[_AT_SHUTDOWN].set()
        super().shutdown()

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD and not self.transport.is_closing():
            CLOSED.labels("head").inc()
            self._refuse(_TOO_LONG)

    def _refuse(self, answer: bytes) -> None:
        """Answers, and lets the client read it: closed with bytes unread, TCP would take the answer back.

        What still comes is thrown away until the client closes, or its time for a head is over.
        """
        self._refused = True
        self.transport.write(answer)
        self.transport.write_eof()


@contextmanager
def at_shutdown(scope: Scope) -> Generator[asyncio.Event]:
    """For a response that has no end of its own: set when the process is to end."""
    event = scope[_AT_SHUTDOWN] = asyncio.Event()
    try:
        yield event
    finally:
        del scope[_AT_SHUTDOWN]


def room_for_connections(wanted: int) -> int:
    """Raises the process's soft limit of open files as far as it is needed and permitted.

    Args:
        wanted: how many connections the settings allow.

    Returns:
        How many there may be: fewer, with a warning, when the hard limit is too low.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + RESERVED_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    most = max(soft - RESERVED_FILES, soft // 2)
    log.warning("few open files are permitted", connections=most, wanted=wanted, open_files=soft)
    return most
