"""What may be recorded of a call changes while its audio comes: a pause, its end, the notice."""

from __future__ import annotations

import asyncio
from functools import partial

import httpx
import numpy as np
import pytest

from dialects.media_streams import Twilio
from dialects.outcome import accepted, call_of, expected, sealed, speech
from flac_decoding import decoded
from ingest_service import Credentials, IngestService, client_of, settled, start_call
from messaging import eventually
from phone_system import end_stream, send_all, speechlike, stream, told

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]

RATE, DIALECT = 8000, Twilio()
SECOND = RATE * 4


@pytest.mark.guarantee("A12")
async def test_a_pause_through_another_instance_counts_when_the_writer_has_confirmed_it(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """The stream is on one instance, the requests go to the other: not a sample in between is recorded."""
    pcm = speechlike(3, RATE, 2)
    call = await start_call(client)
    path = f"/v1/calls/{call['id']}"
    with ingest.another() as other_url:
        async with (
            client_of(other_url, credentials) as other,
            stream(ingest.url, call["id"], credentials) as socket,
        ):
            await told(socket)
            await send_all(socket, pcm[:SECOND])
            await asyncio.sleep(0.2)
            assert (await other.post(f"{path}/pause")).json()["paused"] is True
            await send_all(socket, pcm[SECOND : 2 * SECOND])
            await asyncio.sleep(0.2)
            assert (await other.post(f"{path}/pause")).json()["paused"] is True
            assert (await other.post(f"{path}/resume")).json()["paused"] is False
            await send_all(socket, pcm[2 * SECOND :])
            await end_stream(socket)
        await client.post(f"{path}/end")
        await settled(client, call["id"])
    manifest, flac = await ingest.recording(call["id"])
    assert decoded(flac, 2) == pcm[:SECOND] + bytes(SECOND) + pcm[2 * SECOND :]
    assert [gap.model_dump(exclude_none=True) for gap in manifest.gaps] == [
        {"start_sample": RATE, "samples": RATE, "reason": "paused"}
    ]


@pytest.mark.guarantee("A12")
@pytest.mark.guarantee("A17")
async def test_audio_belongs_to_the_side_of_a_pause_on_which_it_was_sent(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """A slow stream is read in rounds; what waits at the socket when a pause comes or goes is taken first."""
    cycles, step = 6, SECOND // 10
    pcm = speechlike(0.2 * cycles, RATE, 2)
    call = await start_call(client)
    path = f"/v1/calls/{call['id']}"
    async with stream(ingest.url, call["id"], credentials) as socket:
        await told(socket)
        for start in range(0, len(pcm), 2 * step):
            await send_all(socket, pcm[start : start + step], chunk=step // 5)
            await client.post(f"{path}/pause")
            await send_all(socket, pcm[start + step : start + 2 * step], chunk=step // 5)
            await client.post(f"{path}/resume")
        await end_stream(socket)
    await client.post(f"{path}/end")
    await settled(client, call["id"])
    manifest, flac = await ingest.recording(call["id"])
    kept = b"".join(pcm[start : start + step] + bytes(step) for start in range(0, len(pcm), 2 * step))
    assert decoded(flac, 2) == kept
    assert {gap.reason for gap in manifest.gaps} == {"paused"}


@pytest.mark.guarantee("A12")
async def test_a_paused_call_stays_paused_over_a_reconnect(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """The pause is the call's, not the connection's; the stream's own pause ends with it."""
    call = await start_call(client)
    pcm = speechlike(2, RATE, 2)
    assert (await client.post(f"/v1/calls/{call['id']}/pause")).json()["paused"] is True
    async with stream(ingest.url, call["id"], credentials) as socket:
        await told(socket)
        await send_all(socket, pcm[:SECOND])
        await end_stream(socket)
    assert (await client.post(f"/v1/calls/{call['id']}/resume")).json()["paused"] is False
    async with stream(ingest.url, call["id"], credentials) as socket:
        assert (await told(socket))["accepted_samples"] == RATE
        await send_all(socket, pcm[SECOND:])
        await socket.send('{"type":"pause"}')
        await send_all(socket, pcm[:SECOND])
        await socket.send('{"type":"resume"}')
        await send_all(socket, pcm[SECOND:])
        await end_stream(socket)
    await client.post(f"/v1/calls/{call['id']}/end")
    await settled(client, call["id"])
    _, flac = await ingest.recording(call["id"])
    assert decoded(flac, 2) == bytes(SECOND) + pcm[SECOND:] + bytes(SECOND) + pcm[SECOND:]


async def test_there_is_nothing_to_pause_after_the_end(client: httpx.AsyncClient) -> None:
    call = await start_call(client)
    await client.post(f"/v1/calls/{call['id']}/end")
    answer = await client.post(f"/v1/calls/{call['id']}/pause")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:otokura:problem:call-closed")


@pytest.mark.guarantee("A16")
@pytest.mark.guarantee("A7")
async def test_a_stream_that_cannot_wait_is_recorded_from_the_notice_on(ingest: IngestService) -> None:
    """The announcement is still playing when the stream begins: until it is reported, all is a gap."""
    credentials = await ingest.add_tenant(require_notice=True)
    external_id, audio = DIALECT.new_id(), speech(DIALECT, 2.0)
    pieces = DIALECT.pieces(audio)
    async with client_of(ingest.url, credentials) as client:
        wire = await DIALECT.open(ingest, credentials, external_id)
        call_id = await call_of(ingest, external_id)
        for piece in pieces[:100]:
            await wire.send(piece.wire)
        await asyncio.sleep(0.3)
        assert await ingest.objects(f"segments/{credentials.tenant_id}/{call_id}/") == []
        answer = await client.put(f"/v1/calls/{call_id}/notice", json={"given": "announced", "version": "1"})
        assert answer.status_code == 200, answer.text
        for piece in pieces[100:]:
            await wire.send(piece.wire)
        await DIALECT.end(wire)
        outcome = await sealed(ingest, client, external_id)
    assert not outcome.samples[:RATE].any()
    assert np.array_equal(outcome.samples[RATE:], expected(DIALECT, audio)[RATE:])
    assert [gap.model_dump(exclude_none=True) for gap in outcome.manifest.gaps] == [
        {"start_sample": 0, "samples": RATE, "reason": "unannounced"}
    ]
    assert outcome.manifest.notice.version == "1"


async def test_calls_without_a_final_state_are_counted(
    ingest: IngestService, client: httpx.AsyncClient
) -> None:
    """`otokura_calls_unsettled` grows with a call that begins, and shrinks when it has settled."""

    async def live() -> float:
        lines = (await client.get("/metrics")).text.splitlines()
        [line] = [line for line in lines if line.startswith('otokura_calls_unsettled{state="live"}')]
        return float(line.split()[-1])

    async def counts(wanted: int) -> bool:
        return await live() == wanted

    [(before,)] = await ingest.query("SELECT count(*) FROM calls WHERE state = 'live'")
    call = await start_call(client)
    await eventually(partial(counts, before + 1))
    await client.post(f"/v1/calls/{call['id']}/end")
    await settled(client, call["id"])
    await eventually(partial(counts, before))
    assert "otokura_calls_unsettled_age_seconds" in (await client.get("/metrics")).text


async def test_a_reconnect_that_cannot_send_again_leaves_a_gap(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """A reconnect that cannot send again puts the time between into the timeline as a gap."""
    external_id, audio = DIALECT.new_id(), speech(DIALECT, 2.0)
    pieces = DIALECT.pieces(audio)
    wire = await DIALECT.open(ingest, credentials, external_id, notice="announced")
    for piece in pieces[:100]:
        await wire.send(piece.wire)
    call_id = await call_of(ingest, external_id)
    await wire.abort()
    await accepted(client, call_id, RATE)
    await asyncio.sleep(0.7)
    wire = await DIALECT.open(ingest, credentials, external_id, notice="announced")
    for piece in DIALECT.pieces([leg[RATE:] for leg in audio]):
        await wire.send(piece.wire)
    await DIALECT.end(wire)
    outcome = await sealed(ingest, client, external_id)
    [gap] = outcome.manifest.gaps
    assert (gap.start_sample, gap.reason, gap.channel) == (RATE, "lost", None)
    assert gap.samples >= 0.7 * RATE
    assert np.array_equal(outcome.samples[RATE + gap.samples :], expected(DIALECT, audio)[RATE:])


@pytest.mark.guarantee("A3")
async def test_another_tenant_can_neither_take_nor_disturb_a_stream(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """Whoever names a call of somebody else is told that there is none, and the call goes on."""
    stranger = await ingest.add_tenant()
    external_id, audio = DIALECT.new_id(), speech(DIALECT, 1.0)
    wire = await DIALECT.open(ingest, credentials, external_id, notice="announced")
    call_id = await call_of(ingest, external_id)
    intruder = await DIALECT.open(ingest, stranger, external_id, notice="announced", call_id=call_id)
    assert await intruder.closed() == 4404
    await DIALECT.send(wire, audio)
    await DIALECT.end(wire)
    outcome = await sealed(ingest, client, external_id)
    assert np.array_equal(outcome.samples, expected(DIALECT, audio))
