"""What only shows over a real socket."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator

import pytest
import websockets

from core_process import Server, serving


@pytest.fixture
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    async with serving(**getattr(request, "param", {})) as running:
        yield running


@pytest.mark.guarantee("W2")
@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ({}, "127.0.0.1 direct"),
        ({"OTOKURA_TRUSTED_PROXIES": "192.0.2.0/24"}, "127.0.0.1 direct"),
        ({"OTOKURA_TRUSTED_PROXIES": "::ffff:127.0.0.0/104"}, "203.0.113.9 forwarded"),
    ],
    indirect=["server"],
)
async def test_nobody_forges_an_address_from_this_machine_either(server: Server, expected: str) -> None:
    """Servers that trust 127.0.0.1 by default let any local process say where it comes from."""
    forged = {"X-Forwarded-For": "198.51.100.1, 203.0.113.9", "X-Real-IP": "198.51.100.2"}
    async with server.client as client:
        response = await client.get("/from", headers={**forged, "Forwarded": "for=198.51.100.3"})
    assert response.json() == expected


@pytest.mark.parametrize("server", [{"OTOKURA_MAX_BODY_BYTES": "1000"}], indirect=True)
async def test_a_chunked_body_over_the_limit_is_refused_before_it_ends(server: Server) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"PUT /size HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(3):
        writer.write(b"200\r\n" + b"a" * 0x200 + b"\r\n")
    await writer.drain()
    status = await reader.readline()
    writer.close()
    assert status.split()[1] == b"413"


@pytest.mark.parametrize("server", [{"OTOKURA_MAX_BODY_BYTES": "1000"}], indirect=True)
async def test_a_websocket_message_over_the_limit_closes_the_socket(server: Server) -> None:
    async with websockets.connect(f"ws://127.0.0.1:{server.port}/stream", compression=None) as socket_:
        await socket_.send(b"a" * 1000)
        assert await socket_.recv() == "1000"
        await socket_.send(b"a" * 1001)
        with pytest.raises(websockets.ConnectionClosedError) as closed:
            await socket_.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


@pytest.mark.parametrize(("path", "end"), [("/slow", b"done"), ("/endless", b"told to stop")])
async def test_a_request_under_way_ends_well_when_the_server_is_told_to_stop(
    server: Server, path: str, end: bytes
) -> None:
    """Also one without an end of its own, as live text is: it is told, and ends in its own words."""
    async with server.client as client, client.stream("GET", path, timeout=60) as response:
        chunks = response.aiter_bytes()
        assert await anext(chunks) == b"begun "
        server.process.send_signal(signal.SIGTERM)
        assert [chunk async for chunk in chunks] == [end]
    await server.process.communicate()
    assert server.process.returncode == -signal.SIGTERM


@pytest.mark.guarantee("S1")
async def test_no_query_and_no_header_reaches_the_log(server: Server) -> None:
    async with server.client as client:
        response = await client.get("/from?token=kanariya", headers={"Authorization": "Bearer kanariya"})
        assert "server" not in response.headers
    url = f"ws://127.0.0.1:{server.port}/stream?token=kanariya"
    async with websockets.connect(url, additional_headers={"X-API-Key": "kanariya"}) as socket_:
        await socket_.send(b"kanariya")
        assert await socket_.recv() == "8"
    lines = await server.stop()
    paths = [line["path"] for line in lines if line["event"] == "request"]
    assert paths == ["/from", "/stream"]
    assert "kanariya" not in str(lines)
