"""A call that is streamed, from its start to its recording."""

from __future__ import annotations

import asyncio
import hashlib

import httpx
import numpy as np
import pytest

from flac_decoding import decoded
from ingest_service import Credentials, IngestService, settled, start_call
from otokura.ingest.audio_format import Encoding, StreamFormat
from phone_system import end_stream, send_all, speechlike, stream, told

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]


@pytest.mark.guarantee("A1")
@pytest.mark.parametrize(("rate", "channels"), [(8000, 2), (16000, 1)])
async def test_sealed_audio_is_accepted_audio_sample_for_sample(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient, rate: int, channels: int
) -> None:
    """PCM goes in, FLAC comes out, and no sample differs; the odd ones at the end are there too."""
    pcm = speechlike(12.3, rate, channels) + b"\x01\x02" * channels * 3
    call = await start_call(client, channels=[{"role": "mixed"}] * channels)
    async with stream(ingest.url, call["id"], credentials, rate=rate, channels=channels) as socket:
        ready = await told(socket)
        assert ready["type"] == "ready"
        assert ready["accepted_ms"] == {str(channel): 0 for channel in range(channels)}
        await send_all(socket, pcm, chunk=4444 * channels)
        final = await end_stream(socket)
    assert final["accepted_samples"] == len(pcm) // (2 * channels)
    ended = await client.post(f"/v1/calls/{call['id']}/end")
    assert ended.status_code == 202
    sealed = await settled(client, call["id"])
    assert sealed["state"] == "sealed"
    manifest, flac = await ingest.recording(call["id"])
    assert decoded(flac, channels) == pcm
    assert manifest.samples == len(pcm) // (2 * channels)
    assert hashlib.sha256(flac).hexdigest() == sealed["recording"]["plaintext_sha256"]
    assert sealed["recording"]["media_type"] == "audio/flac"
    assert sealed["recording"]["manifest_sha256"] == manifest.sha256()


@pytest.mark.parametrize("encoding", [Encoding.MULAW, Encoding.ALAW])
async def test_g711_is_sealed_as_the_samples_it_stands_for(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient, encoding: Encoding
) -> None:
    codes = np.random.default_rng(1).integers(0, 256, 2 * 8000 * 3, dtype=np.uint8).tobytes()
    call = await start_call(client)
    async with stream(ingest.url, call["id"], credentials, encoding=encoding) as socket:
        await told(socket)
        await send_all(socket, codes)
        await end_stream(socket)
    await client.post(f"/v1/calls/{call['id']}/end")
    await settled(client, call["id"])
    _, flac = await ingest.recording(call["id"])
    assert decoded(flac, 2) == StreamFormat(encoding, 8000, 2).decode(codes)


@pytest.mark.guarantee("A17")
async def test_what_was_sent_before_a_call_is_ended_is_recorded(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """Also what still waits at the socket: a slow stream is read in rounds."""
    pcm = speechlike(0.1, 8000, 2)
    for _ in range(4):
        call = await start_call(client)
        async with stream(ingest.url, call["id"], credentials) as socket:
            await told(socket)
            await send_all(socket, pcm[: len(pcm) // 2])
            await asyncio.sleep(0.02)
            await send_all(socket, pcm[len(pcm) // 2 :], chunk=320)
            await client.post(f"/v1/calls/{call['id']}/end")
        assert (await settled(client, call["id"]))["accepted_samples"] == len(pcm) // 4


async def test_gaps_are_told_in_the_manifest_and_silent_in_the_recording(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """The recording's clock stays the call's: what was not recorded takes its time, as silence."""
    before, after = speechlike(1, 8000, 2, 1), speechlike(2, 8000, 2, 2)
    call = await start_call(client)
    async with stream(ingest.url, call["id"], credentials) as socket:
        await told(socket)
        await send_all(socket, before)
        await socket.send('{"type":"gap","ms":1500,"reason":"paused"}')
        await send_all(socket, after)
        final = await end_stream(socket)
    assert final["accepted_ms"] == {"0": 4500, "1": 4500}
    await client.post(f"/v1/calls/{call['id']}/end")
    await settled(client, call["id"])
    manifest, flac = await ingest.recording(call["id"])
    assert decoded(flac, 2) == before + bytes(1500 * 8 * 4) + after
    assert [gap.model_dump(exclude_none=True) for gap in manifest.gaps] == [
        {"start_sample": 8000, "samples": 12000, "reason": "paused"}
    ]


async def test_a_call_without_audio_settles_empty(client: httpx.AsyncClient, ingest: IngestService) -> None:
    call = await start_call(client)
    assert (await client.post(f"/v1/calls/{call['id']}/end")).status_code == 202
    empty = await settled(client, call["id"])
    assert empty["state"] == "empty"
    assert empty["recording"] is None
    again = await client.post(f"/v1/calls/{call['id']}/end")
    assert again.status_code == 200
    assert again.json()["state"] == "empty"
    assert [kind for kind, _ in await ingest.outbox(call["id"])] == [
        "otokura.key.wrapped.v1",
        "otokura.call.started.v1",
        "otokura.call.ended.v1",
        "otokura.call.settled.v1",
        "audit",
    ]
