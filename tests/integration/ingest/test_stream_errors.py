"""What a phone system can do wrong on the raw stream, and what stays of what it did right."""

from __future__ import annotations

import asyncio
import base64
import os
import socket as sockets
import struct
from typing import Any

import httpx
import pytest

from flac_decoding import decoded
from ingest_service import Credentials, IngestService, client_of, settled, start_call
from otokura.shared.ids import uuid7
from phone_system import end_stream, send_all, speechlike, stream, told

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]

ONE_SECOND = speechlike(1, 8000, 2)


async def refusal(
    ingest: IngestService, call_id: str, credentials: Credentials, **query: Any
) -> tuple[int, dict[str, Any]]:
    """Close code and problem of a connection that is refused."""
    async with stream(ingest.url, call_id, credentials, **query) as socket:
        message = await told(socket)
        assert message["type"] == "error", message
        await socket.wait_closed()
        return socket.close_code or 0, message["problem"]


@pytest.mark.guarantee("A9")
@pytest.mark.parametrize(
    ("query", "code", "words"),
    [
        ({"encoding": "opus"}, 4400, "pcm_s16le, mulaw, alaw"),
        ({"rate": 44100}, 4400, "8000, 16000"),
        ({"channels": 3}, 4400, "1, 2"),
        ({"channels": 1}, 4422, "2 channel(s), the audio has 1"),
    ],
)
async def test_a_format_that_does_not_fit_is_refused(
    ingest: IngestService,
    credentials: Credentials,
    client: httpx.AsyncClient,
    query: dict[str, Any],
    code: int,
    words: str,
) -> None:
    """The problem says what fits, and the call is as good as before."""
    call = await start_call(client)
    closed, problem = await refusal(ingest, call["id"], credentials, **query)
    assert closed == code
    assert words in problem["detail"]
    async with stream(ingest.url, call["id"], credentials) as socket:
        assert (await told(socket))["type"] == "ready"


async def test_an_unknown_call_and_another_tenants_are_refused_alike(
    ingest: IngestService, credentials: Credentials
) -> None:
    other = await ingest.add_tenant()
    async with client_of(ingest.url, other) as stranger:
        theirs = (await start_call(stranger))["id"]
    for call_id in (theirs, str(uuid7())):
        closed, problem = await refusal(ingest, call_id, credentials)
        assert (closed, problem["status"]) == (4404, 404)


@pytest.mark.guarantee("A4")
async def test_no_audio_is_accepted_after_the_end(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """Neither on a new connection nor on one that was open: what it held is stored at the end, no more."""
    call = await start_call(client)
    async with stream(ingest.url, call["id"], credentials) as socket:
        await told(socket)
        await send_all(socket, ONE_SECOND)
        await reached(client, call["id"], 1000)
        await client.post(f"/v1/calls/{call['id']}/end")
        final = await told_final(socket)
        assert final["accepted_samples"] == 8000
    sealed = await settled(client, call["id"])
    closed, problem = await refusal(ingest, call["id"], credentials)
    assert closed == 4409
    assert problem["state"] == "sealed"
    assert sealed["accepted_samples"] == 8000


async def told_final(socket: Any) -> dict[str, Any]:
    while True:
        message = await told(socket)
        if message.get("final"):
            return message


async def reached(client: httpx.AsyncClient, call_id: str, milliseconds: int) -> None:
    async with asyncio.timeout(20):
        while True:
            view = (await client.get(f"/v1/calls/{call_id}")).json()
            if view["accepted_ms"]["0"] >= milliseconds:
                return
            await asyncio.sleep(0.05)


@pytest.mark.guarantee("A9")
@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"\x00\x01\x02", 4400),
        (b"", 4400),
        ("what is this?", 4400),
        ('{"type":"gap","ms":-1,"reason":"lost"}', 4400),
        (bytes(600_000), 4413),
        ('{"type":"gap","ms":86400000,"reason":"lost"}', 4413),
    ],
    ids=["half a frame", "nothing", "no JSON", "negative gap", "oversize message", "a call too long"],
)
async def test_a_bad_message_costs_the_connection_and_no_audio(
    ingest: IngestService,
    credentials: Credentials,
    client: httpx.AsyncClient,
    message: bytes | str,
    code: int,
) -> None:
    """What came before it is stored, and the next connection goes on from there."""
    call = await start_call(client)
    async with stream(ingest.url, call["id"], credentials) as socket:
        await told(socket)
        await send_all(socket, ONE_SECOND)
        await socket.send(message)
        while (last := await told(socket))["type"] != "error":
            continue
        assert last["problem"]["status"] == code - 4000
        await socket.wait_closed()
        assert socket.close_code == code
    async with stream(ingest.url, call["id"], credentials) as socket:
        ready = await told(socket)
        assert ready["accepted_samples"] == 8000
        await send_all(socket, ONE_SECOND)
        await end_stream(socket)
    await client.post(f"/v1/calls/{call['id']}/end")
    await settled(client, call["id"])
    assert decoded((await ingest.recording(call["id"]))[1], 2) == ONE_SECOND * 2


async def test_the_rate_of_a_call_does_not_change(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    call = await start_call(client)
    async with stream(ingest.url, call["id"], credentials) as socket:
        await told(socket)
        await send_all(socket, ONE_SECOND)
        await end_stream(socket)
    closed, problem = await refusal(ingest, call["id"], credentials, rate=16000)
    assert closed == 4409
    assert "rate=8000" in problem["detail"]


async def test_a_stream_that_pauses_is_stored_without_waiting_for_its_segment(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """A second of audio and then silence on the wire: it is accepted all the same."""
    call = await start_call(client)
    async with stream(ingest.url, call["id"], credentials) as socket:
        await told(socket)
        await send_all(socket, ONE_SECOND)
        assert (await told(socket))["accepted_ms"] == {"0": 1000, "1": 1000}


def masked_frame(payload: bytes) -> bytes:
    """A binary WebSocket message from a client (RFC 6455 §5.2)."""
    mask = os.urandom(4)
    body = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    return struct.pack(">BBH", 0x82, 0x80 | 126, len(payload)) + mask + body


@pytest.mark.parametrize("cut", ["half-closed", "reset"])
async def test_a_connection_that_dies_keeps_its_whole_milliseconds(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient, cut: str
) -> None:
    """No closing handshake: the client's side ends, or the network resets, in the middle of a segment."""
    call = await start_call(client)
    reader, writer = await asyncio.open_connection("127.0.0.1", ingest.port)
    query = "encoding=pcm_s16le&rate=8000&channels=2"
    writer.write(
        f"GET /v1/calls/{call['id']}/stream?{query} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nX-API-Key: {credentials.api_key}\r\n"
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n\r\n".encode()
    )
    await reader.readuntil(b'"ready"')
    audio = ONE_SECOND + b"\x01\x00\x02\x00" * 3
    for start in range(0, len(audio), 8000):
        writer.write(masked_frame(audio[start : start + 8000]))
    await writer.drain()
    await asyncio.sleep(0.2)
    if cut == "half-closed":
        writer.write_eof()
        await reader.read()
    else:
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, linger)
    writer.close()
    await reached(client, call["id"], 1000)
    async with stream(ingest.url, call["id"], credentials) as socket:
        assert (await told(socket))["accepted_samples"] == 8000
