"""uvicorn's WebSocket protocol, with a short way for what nearly every message of a call is.

Most of an audio stream's cost is the parsing of its messages: fifty a second, each one whole, masked, binary
frame. Those are read here, in one step for all that a read of the socket brought; every other frame (text,
control, fragments, anything wrong) is handed to the `websockets` library whole, which answers it as always.
Framing: RFC 6455 §5.2.

An application that cares for bytes and not for messages may ask for batches (`batches`): a slow sender is
then read five times a second instead of fifty, as network cards gather their interrupts, and what came in one
read is one message.

And one that has more to say than a client may be able to hear may ask whether it has heard (`room`), so that
what it says next is the newest there is.
"""

from __future__ import annotations

import asyncio
import socket
from asyncio import AbstractEventLoop, BaseTransport
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request
from websockets.protocol import State

try:
    from websockets.speedups import apply_mask
except ImportError:  # where the library was installed without its C part
    from websockets.utils import apply_mask

QUEUED: Final = 8
"""Messages that may wait for the application before no more is read."""

ROUND_SECONDS: Final = 0.2
"""How long a slow sender of batches is left alone after each read."""
SIZES: Final = "otokura.sizes"
"""Key of a batch: the sizes of its messages, in order."""

_EXTENSION: Final = "otokura.connection"
_UNSENT_BYTES: Final = 16_384
"""What the kernel may hold that the client's has no room for yet, of one who asks for room."""
_FAST_BYTES: Final = 16_384
"""Whoever sends so much in a round is no live stream, and is read as fast as it is taken."""
_SLOT_SECONDS: Final = 0.02
"""Connections whose rests begin within this are woken together."""
_TURNS: Final = 4
"""Of the event loop, from a socket that can be read to an application that has handled what was read."""

_BINARY: Final = 0x82
"""First byte of a whole binary message: FIN, no extension, opcode 2."""
_FIN, _OPCODE, _MASKED, _LENGTH = 0x80, 0x0F, 0x80, 0x7F
_DATA_OPCODES = 2
"""Opcodes up to this are of data: continuation, text, binary."""
_TWO_BYTES = 126
"""From this code on the length follows, in two bytes or in eight."""
_HEAD_BYTES, _KEY_BYTES = 2, 4


class Rounds:
    """Wakes connections that rest between two reads: one timer for all that began to rest together."""

    def __init__(self) -> None:
        self._resting: list[WebSocketProtocol] = []
        self._until = 0.0

    def rest(self, connection: WebSocketProtocol, loop: AbstractEventLoop) -> None:
        """Wake it after a round."""
        now = loop.time()
        if now >= self._until:
            self._resting, self._until = [], now + _SLOT_SECONDS
            loop.call_later(ROUND_SECONDS, self._wake, self._resting)
        self._resting.append(connection)

    def _wake(self, connections: list[WebSocketProtocol]) -> None:
        for connection in connections:
            connection.wake()


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """One connection. The library's parser stands between two frames whenever this one reads.

    Args:
        rounds: of the process; of this connection alone if there is none.
    """

    _batch: list[bytes] | None = None
    """Binary messages of the read under way; None: the application takes each by itself."""
    _resting = False
    """Whether nothing is read until the round is over."""

    _pending = b""
    """The beginning of a frame whose rest has not come."""
    _fragmented = False
    """Whether the library waits for the rest of a message in several frames."""
    _only_library = False
    """Whether something came that the library must see as it comes: it will close the connection."""

    def __init__(self, *args: Any, rounds: Rounds | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self._rounds = rounds or Rounds()

    def connection_made(self, transport: BaseTransport) -> None:
        """As uvicorn; the limit of a message is needed here, too."""
        super().connection_made(transport)
        self._largest: int = self.config.ws_max_size

    def data_received(self, data: bytes) -> None:
        """Read whole frames; keep the rest for the next time."""
        if self._only_library or self.conn.state is not State.OPEN:
            super().data_received(data)
            return
        if self._pending:
            data = self._pending + data
        start, size = 0, len(data)
        while 0 < (end := self._frame_end(data, start, size)) <= size:
            first = data[start]
            if first == _BINARY and not self._fragmented and not self.close_sent:
                end = self._binary(data, start, end)
            else:
                if first & _OPCODE <= _DATA_OPCODES:
                    self._fragmented = not first & _FIN
                self._give_batch(size)
                super().data_received(data[start:end])
            start = end
        self._give_batch(size)
        self._pending = data[start:]
        if end == -1:
            self._only_library, self._pending = True, b""
            super().data_received(data[start:])

    def _frame_end(self, data: bytes, start: int, size: int) -> int:
        """Where the frame at `start` ends; 0: too little came to tell; -1: the library must refuse it."""
        head = start + _HEAD_BYTES
        if size < head:
            return 0
        second = data[head - 1]
        if not second & _MASKED:
            return -1
        length = second & _LENGTH
        if length >= _TWO_BYTES:
            first, head = head, head + (2 if length == _TWO_BYTES else 8)
            if size < head:
                return 0
            length = int.from_bytes(data[first:head], "big")
        return -1 if length > self._largest else head + _KEY_BYTES + length

    def _binary(self, data: bytes, start: int, end: int) -> int:
        """Unmask a whole binary message, and those like it that follow in a batch; where they end."""
        code = data[start + 1] & _LENGTH
        head = 2 if code < _TWO_BYTES else 4 if code == _TWO_BYTES else 10
        key = start + head
        message = apply_mask(data[key + _KEY_BYTES : end], data[key : key + _KEY_BYTES])
        if self._batch is not None:
            self._batch.append(message)
            return self._like_it(data, start, end, head, self._batch)
        self.queue.put_nowait({"type": "websocket.receive", "bytes": message})
        if self.queue.qsize() >= QUEUED:
            self._pause()
        return end

    def _like_it(self, data: bytes, start: int, end: int, head: int, batch: list[bytes]) -> int:
        """A stream's messages are all of one length: those with the same head are not parsed again."""
        like, step, size = data[start : start + head], end - start, len(data)
        while end + step <= size and data.startswith(like, end):
            key, stop = end + head, end + step
            batch.append(apply_mask(data[key + _KEY_BYTES : stop], data[key : key + _KEY_BYTES]))
            end = stop
        return end

    def _give_batch(self, read_bytes: int) -> None:
        """Give what was read to the application; read on when it is taken and the round is over."""
        if not self._batch:
            return
        batch, self._batch = self._batch, []
        sizes = [len(message) for message in batch]
        joined: Any = {"type": "websocket.receive", "bytes": b"".join(batch), SIZES: sizes}
        self.queue.put_nowait(joined)
        self._pause()
        if read_bytes < _FAST_BYTES and not self._resting:
            self._resting = True
            self._rounds.rest(self, self.loop)

    def _pause(self) -> None:
        if not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()

    def wake(self) -> None:
        """The round is over."""
        self._resting = False
        self._read_on()

    def _read_on(self) -> None:
        if self.read_paused and not self._resting and self.queue.empty():
            self.read_paused = False
            self.transport.resume_reading()

    async def receive(self) -> Any:
        """The next message; reading goes on once all are taken."""
        message = await self.queue.get()
        self._read_on()
        return message

    def handle_connect(self, event: Request) -> None:
        """As uvicorn; the application finds this connection in its scope."""
        super().handle_connect(event)
        if self.response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            cast("dict[str, Any]", self.scope)["extensions"][_EXTENSION] = self

    def keep_little_unsent(self) -> None:
        """Let the kernel take little that the client does not: megabytes else, and all of it gets old."""
        option = getattr(socket, "TCP_NOTSENT_LOWAT", None)  # Linux and macOS have it
        ours: socket.socket | None = self.transport.get_extra_info("socket")
        if option is not None and ours is not None and ours.family in (socket.AF_INET, socket.AF_INET6):
            ours.setsockopt(socket.IPPROTO_TCP, option, _UNSENT_BYTES)

    def has_room(self) -> bool:
        """Whether all that was said is on its way to the client."""
        return not self.transport.is_closing() and self.transport.get_write_buffer_size() == 0

    def start_batches(self) -> None:
        """From now on messages come in batches."""
        self._batch = []

    async def catch_up(self) -> None:
        """Read what has reached the socket, round or not, and let the application handle it."""
        self.wake()
        for _ in range(_TURNS):
            await asyncio.sleep(0)


def batches(scope: Mapping[str, Any]) -> Callable[[], Awaitable[None]] | None:
    """Ask for binary messages in batches: joined, with their sizes under `SIZES`.

    Args:
        scope: of the WebSocket.

    Returns:
        What reads at once what has reached the socket: to be awaited where its order against something else
        matters. None on a server that knows no batches: messages come as always.
    """
    connection = _connection(scope)
    if connection is None:
        return None
    connection.start_batches()
    return connection.catch_up


def room(scope: Mapping[str, Any]) -> Callable[[], bool]:
    """What tells whether the client takes what is sent to it: while it does not, nothing more should be said.

    Args:
        scope: of the WebSocket. On a server that cannot tell there is always room.
    """
    connection = _connection(scope)
    if connection is None:
        return lambda: True
    connection.keep_little_unsent()
    return connection.has_room


def _connection(scope: Mapping[str, Any]) -> WebSocketProtocol | None:
    connection = scope.get("extensions", {}).get(_EXTENSION)
    return connection if isinstance(connection, WebSocketProtocol) else None
