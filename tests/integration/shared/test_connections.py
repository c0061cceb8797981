"""Connections that say nothing, or never finish saying it, on a real server."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
import websockets

from core_process import Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

FEW = "6"
OPEN_FILES = """
import resource, sys
from otokura.shared.http_connections import room_for_connections
resource.setrlimit(resource.RLIMIT_NOFILE, (100, int(sys.argv[1])))
print(room_for_connections(2000), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Server]:
    async with serving(OTOKURA_HEAD_SECONDS="0.5") as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def small() -> AsyncIterator[Server]:
    """A server that takes few connections."""
    async with serving(OTOKURA_MAX_CONNECTIONS=FEW) as running:
        yield running


async def connected(server: Server) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", server.port)


async def read_to_the_end(reader: asyncio.StreamReader) -> bytes:
    """What the server says until it closes, or cuts us off; one that never does fails the test."""
    said = b""
    async with asyncio.timeout(60):
        with contextlib.suppress(ConnectionResetError):
            while more := await reader.read(65536):
                said += more
    return said


async def dripped(writer: asyncio.StreamWriter, what: bytes, times: int = 10_000) -> None:
    try:
        for _ in range(times):
            writer.write(what)
            await writer.drain()
            await asyncio.sleep(0.01)
    except ConnectionError:
        return


async def answer(reader: asyncio.StreamReader) -> bytes:
    """One answer of which the body is short."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    assert length is not None
    return head + await reader.readexactly(int(length[1]))


@pytest.mark.guarantee("A24")
@pytest.mark.parametrize(
    ("first", "drip"),
    [
        (b"", b""),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\n", b""),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\n", b"X-A: b\r\n"),
        (b"GET /", b"a"),
        (b"", b"\r\n"),
    ],
    ids=["silent", "half a head", "slow headers", "slow line", "empty lines"],
)
async def test_who_never_finishes_a_head_is_cut(server: Server, first: bytes, drip: bytes) -> None:
    reader, writer = await connected(server)
    writer.write(first)
    dripping = asyncio.create_task(dripped(writer, drip)) if drip else None
    assert await read_to_the_end(reader) == b""
    if dripping is not None:
        await dripping
    writer.close()


@pytest.mark.parametrize(
    "more", [b"GET /healthz HTTP/1.1\r\n", b"\r\n"], ids=["half a head", "an empty line"]
)
async def test_a_connection_that_was_answered_owes_its_next_head(server: Server, more: bytes) -> None:
    """uvicorn's own timer for kept connections ends with the first byte that comes."""
    reader, writer = await connected(server)
    for _ in range(2):
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in await answer(reader)
    writer.write(more)
    assert await read_to_the_end(reader) == b""
    writer.close()


async def test_a_head_without_end_is_refused(server: Server) -> None:
    reader, writer = await connected(server)
    writer.write(b"GET / HTTP/1.1\r\n" + b"X-Filler: " + b"a" * 5000)
    for _ in range(20):
        writer.write(b"a" * 5000)
    assert (await read_to_the_end(reader)).startswith(b"HTTP/1.1 431 ")
    writer.close()


async def test_what_is_being_served_is_not_touched(server: Server) -> None:
    """A body, an answer and a WebSocket may take longer than a head."""

    async def body() -> AsyncIterator[bytes]:
        for _ in range(12):
            yield b"12345"
            await asyncio.sleep(0.1)

    url = f"ws://127.0.0.1:{server.port}/stream"
    async with server.client as client, websockets.connect(url) as socket:
        sent, slow = await asyncio.gather(client.put("/size", content=body()), client.get("/slow"))
        assert (sent.text, slow.text) == ("60", "begun done")
        await socket.send(b"123")
        assert await socket.recv() == "3"


async def test_a_body_that_nobody_reads_any_more_is_not_read_for_ever(server: Server) -> None:
    reader, writer = await connected(server)
    writer.write(b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
    dripping = asyncio.create_task(dripped(writer, b"a"))
    said = await read_to_the_end(reader)
    assert said.startswith(b"HTTP/1.1 404 ")
    await dripping
    writer.close()


async def test_the_end_of_a_body_that_nobody_read_is_no_head() -> None:
    """However much comes with it: the connection serves the next request."""
    async with serving() as patient:  # 8 MB may take longer than the other server gives a head
        reader, writer = await connected(patient)
        for _ in range(5):
            writer.write(b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 8000000\r\n\r\n")
            assert b" 404 " in await answer(reader)
            writer.write(bytes(8_000_000))
            await writer.drain()
        writer.close()


@pytest.mark.guarantee("A24")
async def test_the_longest_silent_makes_room_in_a_full_process(small: Server) -> None:
    silent = [await connected(small) for _ in range(int(FEW))]
    async with small.client as client:
        for _ in range(3):
            assert (await client.get("/healthz")).status_code == 200
    assert await read_to_the_end(silent[0][0]) == b""
    for _, writer in silent:
        writer.close()


@pytest.mark.guarantee("A24")
async def test_a_process_full_of_what_is_served_refuses_at_once(small: Server) -> None:
    url = f"ws://127.0.0.1:{small.port}/stream"
    sockets = [await websockets.connect(url) for _ in range(int(FEW))]
    reader, writer = await connected(small)
    assert (await read_to_the_end(reader)).startswith(b"HTTP/1.1 503 ")
    writer.close()
    for socket in sockets:
        await socket.send(b"1234")
        assert await socket.recv() == "4"
    await sockets[0].close()
    async with small.client as client:
        text = ""
        while not text:
            try:
                text = (await client.get("/metrics")).raise_for_status().text
            except (httpx.HTTPStatusError, httpx.TransportError):
                await asyncio.sleep(0.05)
    closed = re.search(r'otokura_http_connections_closed_total\{reason="full"\} (\d+)', text)
    assert closed is not None
    assert int(closed[1]) >= 1
    for socket in sockets:
        await socket.close()


@pytest.mark.parametrize(
    ("permitted", "expected"),
    [(5000, "2000 2512"), (2512, "2000 2512"), (1000, "500 1000"), (200, "100 200")],
)
async def test_as_many_open_files_are_asked_for_as_are_needed_and_permitted(
    permitted: int, expected: str
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OPEN_FILES, str(permitted), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert out.decode().splitlines()[-1] == expected
