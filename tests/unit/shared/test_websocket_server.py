"""The short way through our WebSocket protocol says the same as the library, however the bytes are cut."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import accumulate, pairwise
from typing import Any

import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from otokura.shared.websocket_server import SIZES, WebSocketProtocol, batches, room

LARGEST = 4096
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Wire(asyncio.Transport):
    """What the server writes, and whether it reads."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.reading, self.closed = True, False
        self.held = 0
        self.resumed = asyncio.Event()

    def get_extra_info(self, _name: str, default: Any = None) -> Any:
        return default

    def get_write_buffer_size(self) -> int:
        return self.held

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True
        self.resumed.set()

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


def config_of(app: Any) -> uvicorn.Config:
    config = uvicorn.Config(
        app, ws_max_size=LARGEST, ws_per_message_deflate=False, ws_ping_interval=None, log_config=None
    )
    config.load()
    return config


def frame(first: int, payload: bytes, *, masked: bool = True, length: int | None = None) -> bytes:
    size = len(payload) if length is None else length
    mask = 0x80 if masked else 0
    if size < 126:
        head = struct.pack("!BB", first, mask | size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", first, mask | 126, size)
    else:
        head = struct.pack("!BBQ", first, mask | 127, size)
    key = b"\x01\x82\x33\xf4"
    body = bytes(byte ^ key[place % 4] for place, byte in enumerate(payload))
    return head + (key + body if masked else payload)


async def exchange(
    kind: type[WebSocketsSansIOProtocol], chunks: list[bytes], *, batched: bool = False
) -> tuple[list[Any], bytes, bool]:
    """What the application receives, what the server answers, and whether it hung up."""
    received: list[Any] = []

    async def app(scope: Any, receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
        if batched:
            batches(scope)
        await receive()
        await send({"type": "websocket.accept"})
        while True:
            message = await receive()
            received.append(message)
            if message["type"] == "websocket.disconnect":
                return

    protocol, wire = kind(config_of(app), ServerState(), {}), Wire()
    protocol.connection_made(wire)
    protocol.data_received(HANDSHAKE)
    for _ in range(5):
        await asyncio.sleep(0)
    for chunk in chunks:
        protocol.data_received(chunk)
        await asyncio.sleep(0)
    protocol.connection_lost(None)
    for _ in range(200):
        await asyncio.sleep(0)
    return received, bytes(wire.written).partition(b"\r\n\r\n")[2], wire.closed


def exchanged(
    kind: type[WebSocketsSansIOProtocol], chunks: list[bytes], *, batched: bool = False
) -> tuple[list[Any], bytes, bool]:
    return asyncio.run(exchange(kind, chunks, batched=batched))


def apart(received: list[Any]) -> list[Any]:
    """Batches as the messages that they were."""
    messages: list[Any] = []
    for message in received:
        ends = list(accumulate(message.get(SIZES, ())))
        if not ends:
            messages.append(message)
        for start, end in pairwise([0, *ends]):
            messages.append({"type": message["type"], "bytes": message["bytes"][start:end]})
    return messages


large = st.integers(120, 4000).map(lambda size: b"x" * size)
# What may be a text's is UTF-8: of the wrong ones the last alone, as of all that is wrong (see below).
whole = st.one_of(
    st.builds(frame, st.sampled_from([0x82, 0x82, 0x82, 0x89, 0x8A, 0x02]), st.binary(max_size=200) | large),
    st.builds(
        frame,
        st.sampled_from([0x81, 0x01, 0x80, 0x00]),
        st.text(max_size=50).map(lambda text: text.encode()) | large,
    ),
)
wrong = st.sampled_from(
    [
        frame(0x82, b"abc", masked=False),
        frame(0xC2, b"abc"),
        frame(0x83, b"abc"),
        frame(0x82, b"abc", length=1 << 40),
        frame(0x82, b"abc", length=LARGEST + 1),
        frame(0x81, b"\x80"),
        frame(0x88, b"\x03\xe8"),
        frame(0x09, b"fragmented ping"),
    ]
)


@given(
    frames=st.lists(whole, max_size=8),
    last=st.none() | wrong,
    cuts=st.lists(st.integers(0, 20_000), max_size=8),
)
def test_it_says_what_the_library_says(frames: list[bytes], last: bytes | None, cuts: list[int]) -> None:
    """Whole, cut, fragmented or wrong frames, in reads of any size: the same messages, answers and end.

    The library is shown one frame at a time: what it reads together with something wrong, it drops.
    """
    every = [*frames, last] if last else frames
    data = b"".join(every)
    edges = sorted({0, *(cut for cut in cuts if cut < len(data)), len(data)})
    chunks = [data[start:stop] for start, stop in pairwise(edges)]
    expected = exchanged(WebSocketsSansIOProtocol, every)
    assert exchanged(WebSocketProtocol, chunks) == expected
    received, *rest = exchanged(WebSocketProtocol, chunks, batched=True)
    assert (apart(received), *rest) == expected


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, LARGEST])
def test_every_form_of_length_is_read(size: int) -> None:
    """One, three and nine bytes of length (RFC 6455 §5.2), byte by byte and at once."""
    data = frame(0x82, bytes(range(256)) * 16 if size == LARGEST else b"q" * size)
    for chunks in ([data], [data[place : place + 1] for place in range(len(data))]):
        received, _, _ = exchanged(WebSocketProtocol, chunks)
        assert [len(message["bytes"]) for message in received[:-1]] == [size]


@asynccontextmanager
async def connected(*, batched: bool = False) -> AsyncIterator[tuple[WebSocketProtocol, Wire]]:
    """A connection whose application takes nothing by itself."""

    async def app(scope: Any, receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
        if batched:
            batches(scope)
        await receive()
        await send({"type": "websocket.accept"})
        await asyncio.Event().wait()

    protocol, wire = WebSocketProtocol(config_of(app), ServerState(), {}), Wire()
    protocol.connection_made(wire)
    protocol.data_received(HANDSHAKE)
    for _ in range(5):
        await asyncio.sleep(0)
    yield protocol, wire
    for task in protocol.tasks:
        task.cancel()


async def test_a_client_that_is_faster_than_the_application_is_read_no_further() -> None:
    """What waits in memory is bounded: the rest stays in the socket's buffers."""
    async with connected() as (protocol, wire):
        sent = 0
        while wire.reading and sent < 100:
            protocol.data_received(frame(0x82, b"x" * 320))
            sent += 1
        assert sent == 8
        for _ in range(8):
            await protocol.receive()
        assert wire.reading


async def test_a_slow_sender_of_batches_is_left_alone_for_a_round() -> None:
    async with connected(batched=True) as (protocol, wire):
        protocol.data_received(frame(0x82, b"abc") + frame(0x82, b"defg"))
        assert await protocol.receive() == {
            "type": "websocket.receive",
            "bytes": b"abcdefg",
            SIZES: [3, 4],
        }
        assert not wire.reading
        await asyncio.wait_for(wire.resumed.wait(), 30)


async def test_a_round_that_is_over_does_not_bring_more_than_the_application_takes() -> None:
    async with connected(batched=True) as (protocol, wire):
        protocol.data_received(frame(0x82, b"abc"))
        protocol.wake()
        assert not wire.reading
        await protocol.receive()
        assert wire.reading


async def test_a_fast_sender_of_batches_is_read_as_fast_as_it_is_taken() -> None:
    async with connected(batched=True) as (protocol, wire):
        protocol.data_received(frame(0x82, b"x" * LARGEST) * 5)
        assert not wire.reading
        assert (await protocol.receive())[SIZES] == [LARGEST] * 5
        assert wire.reading


async def test_who_must_know_what_was_sent_does_not_wait_for_the_round() -> None:
    async with connected(batched=True) as (protocol, wire):
        protocol.data_received(frame(0x82, b"abc"))
        await protocol.receive()
        assert not wire.reading
        await protocol.catch_up()
        assert wire.reading


def test_a_server_without_batches_says_so() -> None:
    assert batches({"type": "websocket"}) is None


async def test_there_is_room_while_the_client_takes_what_it_is_sent() -> None:
    async with connected() as (protocol, wire):
        has_room = room(protocol.scope)
        assert has_room()
        wire.held = 1
        assert not has_room()
        wire.held = 0
        wire.close()
        assert not has_room()
    assert room({"type": "websocket"})()
