"""A file becomes a recording."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from audio_files import encoded, wav
from ingest_service import Credentials, IngestService, MakeIngest, client_of, settled, start_call
from phone_system import end_stream, send_all, speechlike, stream, told

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]

TWO_SECONDS = speechlike(2, 16000, 2)
WAV = wav(TWO_SECONDS, 16000, 2)


async def pieces(data: bytes, size: int = 60_000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def upload(client: httpx.AsyncClient, call: dict[str, Any], data: bytes) -> httpx.Response:
    return await client.put(f"/v1/calls/{call['id']}/audio", content=pieces(data))


@pytest.mark.guarantee("A5")
@pytest.mark.parametrize(
    ("container", "codec", "rate", "media_type"),
    [
        ("wav", "pcm_s16le", 16000, "audio/wav"),
        ("wav", "pcm_mulaw", 8000, "audio/wav"),
        ("flac", "flac", 16000, "audio/flac"),
        ("mp3", "mp3", 16000, "audio/mpeg"),
        ("mp4", "aac", 16000, "audio/mp4"),
        ("ogg", "libopus", 48000, "audio/ogg"),
    ],
)
async def test_the_original_bytes_are_the_recording(
    ingest: IngestService, client: httpx.AsyncClient, container: str, codec: str, rate: int, media_type: str
) -> None:
    """Whatever the format, what is kept is what was sent, to the byte, and its hash is told."""
    data = encoded(speechlike(2, rate, 2), rate, 2, container, codec)
    call = await start_call(client)
    response = await upload(client, call, data)
    assert response.status_code == 201, response.text
    recording = response.json()["recording"]
    assert response.json()["state"] == "sealed"
    assert recording["media_type"] == media_type
    assert recording["plaintext_sha256"] == hashlib.sha256(data).hexdigest()
    assert recording["plaintext_bytes"] == len(data)
    assert 1990 <= recording["duration_ms"] <= 2200
    manifest, stored = await ingest.recording(call["id"])
    assert stored == data
    assert manifest.origin == "upload"
    assert manifest.gaps == []


async def test_an_upload_is_told_like_any_call(ingest: IngestService, client: httpx.AsyncClient) -> None:
    """Started, ended, sealed and settled each once; then the audit entry with the manifest's hash."""
    call = await start_call(client)
    view = (await upload(client, call, WAV)).json()
    told_of = await ingest.outbox(call["id"])
    assert [kind for kind, _ in told_of] == [
        "otokura.key.wrapped.v1",
        "otokura.call.started.v1",
        "otokura.call.ended.v1",
        "otokura.recording.sealed.v1",
        "otokura.call.settled.v1",
        "audit",
    ]
    entry = told_of[-1][1]
    assert entry["action"] == "recording.sealed"
    assert entry["detail"]["manifest_sha256"] == view["recording"]["manifest_sha256"]
    # Who sent it: what auditors ask of a vendor.
    [row] = await ingest.query("SELECT client_id FROM calls WHERE id = :id", id=call["id"])
    assert entry["reader"] == str(row.client_id)


def too_many_channels() -> bytes:
    return wav(speechlike(1, 8000, 1), 8000, 1)


@pytest.mark.guarantee("A9")
@pytest.mark.parametrize(
    ("make", "status", "words"),
    [
        (lambda: b"", 422, "no bytes"),
        (lambda: b"This is a letter, whatever its name says.\n" * 500, 415, "of another kind"),
        (lambda: b"RIFF\x24\x00\x00\x00WAVEfmt junk" * 40, 415, None),
        (lambda: WAV[: len(WAV) // 2], 415, "before the end"),
        (lambda: wav(b"", 8000, 2), 415, None),
        (too_many_channels, 422, "declared|channel"),
    ],
    ids=["zero bytes", "text", "damaged header", "cut off", "no samples", "one channel of two"],
)
async def test_a_bad_file_is_refused_and_the_call_goes_on(
    ingest: IngestService,
    credentials: Credentials,
    client: httpx.AsyncClient,
    make: Callable[[], bytes],
    status: int,
    words: str | None,
) -> None:
    """The problem says what is wrong; nothing of the file stays, and a good file is still welcome."""
    call = await start_call(client)
    response = await upload(client, call, make())
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert not words or any(word in problem["detail"] for word in words.split("|")), problem
    assert await ingest.objects(f"recordings/{credentials.tenant_id}/{call['id']}/") == []
    assert (await client.get(f"/v1/calls/{call['id']}")).json()["state"] == "live"
    assert (await upload(client, call, WAV)).status_code == 201


@pytest.fixture(scope="module")
def narrow(make_ingest: MakeIngest) -> IngestService:
    """An ingest process that takes 100 kB."""
    return make_ingest(max_upload_bytes=100_000)


@pytest.mark.parametrize("declared", [True, False], ids=["Content-Length", "chunked"])
async def test_an_oversize_file_is_refused(narrow: IngestService, declared: bool) -> None:
    """413, told before the body is read where its length is declared, and as soon as it is seen where not."""
    async with client_of(narrow.url, await narrow.add_tenant()) as client:
        call = await start_call(client)
        body: Any = WAV if declared else pieces(WAV)
        response = await client.put(f"/v1/calls/{call['id']}/audio", content=body)
        assert response.status_code == 413, response.text
        assert "100000 bytes" in response.json()["detail"]
        small = wav(TWO_SECONDS[:40_000], 16000, 2)
        assert (await upload(client, call, small)).status_code == 201


async def test_a_streamed_call_takes_no_file(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    call = await start_call(client)
    async with stream(ingest.url, call["id"], credentials) as socket:
        await told(socket)
        await send_all(socket, speechlike(1, 8000, 2))
        await end_stream(socket)
    response = await upload(client, call, WAV)
    assert response.status_code == 409
    assert response.json()["type"] == "urn:otokura:problem:wrong-origin"


async def test_a_sealed_call_takes_no_second_file(client: httpx.AsyncClient, ingest: IngestService) -> None:
    """The first recording is evidence; nothing replaces it."""
    call = await start_call(client)
    assert (await upload(client, call, WAV)).status_code == 201
    again = await upload(client, call, wav(bytes(64_000), 16000, 2))
    assert again.status_code == 409
    assert again.json()["state"] == "sealed"
    assert (await ingest.recording(call["id"]))[1] == WAV


async def taken(ingest: IngestService, call_id: str) -> None:
    """Wait until an upload has the call."""
    query = "SELECT 1 FROM calls WHERE id = CAST(:id AS uuid) AND owner IS NOT NULL"
    async with asyncio.timeout(30):
        while True:
            if await ingest.query(query, id=call_id):
                return
            await asyncio.sleep(0.01)


async def test_an_upload_that_breaks_off_leaves_nothing(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """The client hangs up in the middle of the body, and tries again."""
    call = await start_call(client)
    reader, writer = await asyncio.open_connection("127.0.0.1", ingest.port)
    head = f"PUT /v1/calls/{call['id']}/audio HTTP/1.1\r\nHost: x\r\nX-API-Key: {credentials.api_key}\r\n"
    writer.write(head.encode() + f"Content-Length: {len(WAV)}\r\n\r\n".encode() + WAV[:50_000])
    await writer.drain()
    await taken(ingest, call["id"])  # before it has the call, it would take it from the next one
    writer.write_eof()
    await reader.read()
    writer.close()
    answer = await upload(client, call, WAV)
    assert answer.status_code == 201, answer.text
    assert (await settled(client, call["id"]))["state"] == "sealed"
    names = await ingest.objects(f"recordings/{credentials.tenant_id}/{call['id']}/")
    manifest, _ = await ingest.recording(call["id"])
    assert names == [manifest.recording.name]


async def test_of_two_uploads_at_once_the_newer_wins(
    client: httpx.AsyncClient, ingest: IngestService
) -> None:
    """The older is fenced however far it got: one call has one recording."""
    call = await start_call(client)
    release = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield WAV[:1000]
        await release.wait()
        yield WAV[1000:]

    query = "SELECT epoch FROM calls WHERE id = CAST(:id AS uuid)"
    before = await ingest.query(query, id=call["id"])
    older = asyncio.create_task(client.put(f"/v1/calls/{call['id']}/audio", content=slowly()))
    await ingest.until_changed(query, before, id=call["id"])
    other = wav(speechlike(1, 16000, 2, 9), 16000, 2)
    assert (await upload(client, call, other)).status_code == 201
    release.set()
    response = await older
    assert response.status_code == 409, response.text
    assert (await ingest.recording(call["id"]))[1] == other
