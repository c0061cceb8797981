"""What of a stream goes to live text: all that is recorded, nothing else, and only where it is wanted."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import cast
from uuid import UUID

import httpx
import pytest

from ingest_service import Credentials, IngestService, client_of, start_call
from otokura.shared.cipher import decrypt
from otokura.shared.events import LiveChunk
from otokura.shared.kafka_settings import KafkaSettings
from otokura.shared.keys import Kind, associated_data, derive
from phone_system import end_stream, send_all, speechlike, stream, told
from transcribe_service import received

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]
RATE = 8000
SECOND = 2 * 2 * RATE


def opened(chunk: LiveChunk, dek: bytes) -> bytes:
    binding = associated_data(
        chunk.tenant_id, chunk.call_id, Kind.LIVE, sequence=chunk.seq, version=chunk.epoch
    )
    return decrypt(derive(dek, Kind.LIVE, chunk.call_id), chunk.sealed or b"", binding)


@pytest.mark.guarantee("T41")
async def test_what_is_recorded_is_sent_on_and_a_pause_is_not(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """Chunks joined are the audio outside the pause, which is a gap; who does not want it sends nothing."""
    unwanted = await _streamed(ingest, credentials, client, speechlike(1.0, RATE, 2))
    wanting = await ingest.add_tenant(live_transcripts=True)
    pcm = speechlike(6.0, RATE, 2)
    async with client_of(ingest.url, wanting) as vendor:
        call = await start_call(vendor)
        path = f"/v1/calls/{call['id']}"
        async with stream(ingest.url, call["id"], wanting) as socket:
            await told(socket)
            await send_all(socket, pcm[: 2 * SECOND])
            await asyncio.sleep(0.5)
            assert (await vendor.post(f"{path}/pause")).json()["paused"] is True
            await send_all(socket, pcm[2 * SECOND : 4 * SECOND])
            await asyncio.sleep(0.5)
            assert (await vendor.post(f"{path}/resume")).json()["paused"] is False
            await send_all(socket, pcm[4 * SECOND :])
            await end_stream(socket)
    told_of = await _chunks(ingest, UUID(call["id"]))
    assert unwanted not in {chunk.call_id for chunk in told_of}
    chunks = [chunk for chunk in told_of if chunk.call_id == UUID(call["id"])]
    dek = await ingest.dek(call["id"])
    heard = b"".join(opened(chunk, dek) for chunk in chunks if chunk.sealed)
    assert heard == pcm[: 2 * SECOND] + pcm[4 * SECOND :]
    gaps = [chunk for chunk in chunks if chunk.gap]
    assert {chunk.gap for chunk in gaps} == {"paused"}
    assert sum(chunk.samples for chunk in gaps) == 2 * RATE


async def _streamed(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient, pcm: bytes
) -> UUID:
    """A call that wants no live text."""
    call = await start_call(client)
    async with stream(ingest.url, call["id"], credentials) as socket:
        await told(socket)
        await send_all(socket, pcm)
        await end_stream(socket)
    return UUID(call["id"])


async def _chunks(ingest: IngestService, call_id: UUID) -> list[LiveChunk]:
    """All that came to the topic, once the call's last samples have."""
    settings = cast("KafkaSettings", SimpleNamespace(**ingest.kafka))

    def enough(found: list[tuple[UUID, LiveChunk]]) -> bool:
        return any(one.call_id == call_id and one.start_sample + one.samples >= 6 * RATE for _, one in found)

    return [chunk for _, chunk in await received(settings, LiveChunk, enough)]
