"""Resumable uploads and the end of the process: what was acknowledged need not be sent again."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest

from audio_files import long_wav
from ingest_service import Credentials, IngestService, MakeIngest, client_of, settled, start_call
from process_memory import measured_from_here, peak
from tus_client import MIB, announce, offset_of, patch

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.s3,
    pytest.mark.kafka,
    pytest.mark.any_broker,
    pytest.mark.slow,
]

ALLOWED = 64_000_000


@pytest.fixture(scope="module")
def ingest(make_ingest: MakeIngest) -> IngestService:
    """Short leases, and the last answer comes at once, sealed or not."""
    return make_ingest(lease_seconds=3, upload_answer_seconds=0)


@pytest.fixture
async def client(ingest: IngestService, credentials: Credentials) -> AsyncIterator[httpx.AsyncClient]:
    """Patient: the service is away for a moment in these tests."""
    transport = httpx.AsyncHTTPTransport(retries=8)
    async with httpx.AsyncClient(
        transport=transport, base_url=ingest.url, headers=credentials.headers, timeout=60
    ) as found:
        yield found


async def whole(size: int) -> bytes:
    return b"".join([piece async for piece in long_wav(size)])


async def paced(data: bytes, reached: list[int]) -> AsyncIterator[bytes]:
    """The bytes, not so fast that they are all there before anybody can kill; and how many were sent."""
    for start in range(0, len(data), MIB // 4):
        yield data[start : start + MIB // 4]
        reached[0] = start
        await asyncio.sleep(0.005)


@pytest.mark.guarantee("A40")
async def test_kill_9_in_the_middle_of_an_upload_loses_at_most_a_part(
    ingest: IngestService, client: httpx.AsyncClient
) -> None:
    """Two kills: the offset never goes back, and is hardly behind what was sent."""
    data = await whole(32 * MIB)
    call = await start_call(client)
    upload = await announce(client, call, len(data))
    offset = 0
    for kill_after in (12 * MIB, 26 * MIB):
        reached = [0]
        sending = asyncio.create_task(patch(client, upload, paced(data[offset:], reached), offset))
        async with asyncio.timeout(60):
            while offset + reached[0] < kill_after:  # noqa: ASYNC110 - the sender tells nobody
                await asyncio.sleep(0.005)
        ingest.program.kill()
        with contextlib.suppress(httpx.TransportError):
            await sending
        await ingest.restart()
        stored = await offset_of(client, upload)
        assert stored > offset
        # A part is 4 MiB; what else was sent was on its way.
        assert stored > kill_after - 12 * MIB
        offset = stored
    assert (await patch(client, upload, data[offset:], offset)).status_code == 204
    view = await settled(client, call["id"])
    assert view["recording"]["plaintext_sha256"] == hashlib.sha256(data).hexdigest()


@pytest.mark.guarantee("A40")
async def test_a_complete_upload_is_sealed_though_its_process_dies(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """The last byte is acknowledged and the client is gone: another process makes the recording."""
    data = await whole(16 * MIB)
    for _ in range(5):
        call = await start_call(client)
        upload = await announce(client, call, len(data))
        answer = await patch(client, upload, data, 0)
        ingest.program.kill()
        assert answer.status_code == 204
        [(state,)] = await ingest.query("SELECT state FROM calls WHERE id = :id", id=UUID(call["id"]))
        if state == "sealing":
            break
        await ingest.restart()  # it was quicker
    assert state == "sealing"
    try:
        with ingest.another() as other_url:
            async with client_of(other_url, credentials) as other:
                view = await settled(other, call["id"])
                assert view["recording"]["plaintext_sha256"] == hashlib.sha256(data).hexdigest()
                assert await offset_of(other, upload) == len(data)
    finally:
        await ingest.restart()
    kinds = [kind for kind, _ in await ingest.outbox(call["id"])]
    assert kinds.count("otokura.recording.sealed.v1") == 1


async def test_the_end_of_a_call_does_not_undo_its_complete_upload(client: httpx.AsyncClient) -> None:
    """A phone system that says `end` after its file, as after a stream."""
    data = await whole(20 * MIB)
    call = await start_call(client)
    upload = await announce(client, call, len(data))
    assert (await patch(client, upload, data, 0)).status_code == 204
    assert (await client.post(f"/v1/calls/{call['id']}/end")).status_code in (200, 202)
    assert (await settled(client, call["id"]))["state"] == "sealed"


@pytest.mark.guarantee("A10")
async def test_a_large_file_in_parts_takes_the_memory_of_a_small_one(
    ingest: IngestService, client: httpx.AsyncClient
) -> None:
    """130 MB in one request, received, put together and examined."""
    size = 130_000_000
    warm = await start_call(client)
    await patch(client, await announce(client, warm, MIB), long_wav(MIB), 0)
    await settled(client, warm["id"])
    process_id, before = measured_from_here(ingest)
    call = await start_call(client)
    upload = await announce(client, call, size)
    answer = await client.patch(
        upload,
        content=long_wav(size),
        headers={
            "Tus-Resumable": "1.0.0",
            "Content-Type": "application/offset+octet-stream",
            "Upload-Offset": "0",
        },
        timeout=httpx.Timeout(300),
    )
    assert answer.status_code == 204, answer.text
    assert (await settled(client, call["id"], patience=300))["state"] == "sealed"
    raised = peak(process_id) - before
    print(f"a resumable upload of {size} bytes raised the memory by {raised / 1e6:.1f} MB")  # noqa: T201
    assert raised < ALLOWED
