"""Who may write a call's audio: the newest claim, and nobody after the end."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from flac_decoding import decoded
from ingest_service import Credentials, IngestService, MakeIngest, settled, start_call
from otokura.ingest.accepting import NewPiece, accept
from otokura.ingest.errors import CallClosed, Fenced, GateChanged
from otokura.ingest.repository import Claim, lock, take
from otokura.shared.ids import uuid7
from phone_system import end_stream, send_all, speechlike, stream, told

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]

FIRST, SECOND = speechlike(5, 8000, 2, 1), speechlike(5, 8000, 2, 2)


@pytest.fixture(scope="module")
def ingest(make_ingest: MakeIngest) -> IngestService:
    """What does not fill a segment is not stored by itself while a test runs."""
    return make_ingest(lease_seconds=3, flush_seconds=30)


async def last(socket: Any) -> dict[str, Any]:
    """What a connection is told before it is closed."""
    while (message := await told(socket))["type"] != "error":
        continue
    await socket.wait_closed()
    return {**message["problem"], "close_code": socket.close_code}


@pytest.mark.guarantee("A3")
async def test_the_newest_connection_takes_over(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """The older is closed with the reason; what it had not been told of is sent again on the newer."""
    call = await start_call(client)
    async with stream(ingest.url, call["id"], credentials) as older:
        await told(older)
        await send_all(older, FIRST)
        assert (await told(older))["accepted_samples"] == 40_000
        await send_all(older, speechlike(0.5, 8000, 2, 3))
        async with stream(ingest.url, call["id"], credentials) as newer:
            assert (await told(newer))["accepted_samples"] == 40_000
            fenced = await last(older)
            assert fenced["type"] == "urn:otokura:problem:fenced"
            assert fenced["close_code"] == 4409
            await send_all(newer, SECOND)
            await end_stream(newer)
    await client.post(f"/v1/calls/{call['id']}/end")
    await settled(client, call["id"])
    assert decoded((await ingest.recording(call["id"]))[1], 2) == FIRST + SECOND


@pytest.mark.guarantee("A3")
async def test_an_older_connection_in_another_process_is_refused_at_its_next_segment(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """Two instances know nothing of each other; the database decides, and the late segment is reported."""
    call = await start_call(client)
    with ingest.another() as other_url:
        async with stream(ingest.url, call["id"], credentials) as older:
            await told(older)
            async with stream(other_url, call["id"], credentials) as newer:
                await told(newer)
                await send_all(older, FIRST)
                assert (await last(older))["type"] == "urn:otokura:problem:fenced"
                await send_all(newer, SECOND)
                await end_stream(newer)
    await client.post(f"/v1/calls/{call['id']}/end")
    await settled(client, call["id"])
    assert decoded((await ingest.recording(call["id"]))[1], 2) == SECOND
    assert "segment.refused" in ingest.log_text()
    assert 'otokura_ingest_segments_refused_total{reason="fenced"}' in (await client.get("/metrics")).text


@pytest.mark.guarantee("A4")
async def test_an_end_through_another_process_first_stores_what_the_stream_holds(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """The end comes through one instance, the audio through another: what was sent before is sealed."""
    call = await start_call(client)
    with ingest.another() as other_url:
        async with stream(other_url, call["id"], credentials) as socket:
            await told(socket)
            await send_all(socket, FIRST + SECOND[:16_000])
            assert (await told(socket))["accepted_samples"] == 40_000
            answer = await client.post(f"/v1/calls/{call['id']}/end")
            assert answer.status_code in (200, 202)
            while not (progress := await told(socket))["final"]:
                continue
            assert progress["accepted_samples"] == 44_000
            await socket.wait_closed()
            assert socket.close_code == 1000
        with pytest.raises(AssertionError, match="call-closed"):
            async with stream(other_url, call["id"], credentials) as late:
                raise AssertionError((await last(late))["type"])
    await settled(client, call["id"])
    assert decoded((await ingest.recording(call["id"]))[1], 2) == FIRST + SECOND[:16_000]


async def test_accepting_is_idempotent_under_one_claim_and_impossible_under_an_older(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """The answer to a commit can be lost: repeating it changes nothing, and never accepts twice."""
    call_id, lease = UUID((await start_call(client))["id"]), timedelta(seconds=60)
    first, late = (NewPiece(seq, seq * 8000, 8000, 8000, 0, "pcm_s16le", f"object {seq}") for seq in range(2))
    async with ingest.database() as database:

        async def claim(lease: timedelta) -> Claim:
            async with database.session() as session:
                return await take(
                    session, await lock(session, call_id, credentials.tenant_id), uuid7(), lease
                )

        async def store(under: Claim, piece: NewPiece) -> None:
            async with database.reading() as connection:
                await accept(connection, under, piece, lease)

        older = await claim(lease)
        await store(older, first)
        await store(older, first)
        newer = await claim(timedelta())
        with pytest.raises(Fenced):
            await store(older, late)
        [row] = await ingest.query("SELECT samples, pieces FROM calls WHERE id = :id", id=call_id)
        assert (row.samples, row.pieces) == (8000, 1)
        await client.post(f"/v1/calls/{call_id}/end")
        with pytest.raises(CallClosed):
            await store(newer, late)


@pytest.mark.guarantee("A12")
async def test_a_writer_that_has_not_heard_of_a_pause_gets_nothing_accepted(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """A notification can be lost: then the next segment is refused, until the writer has looked."""
    call_id, lease = UUID((await start_call(client))["id"]), timedelta(seconds=60)
    async with ingest.database() as database:
        async with database.session() as session:
            call = await lock(session, call_id, credentials.tenant_id)
            claim = await take(session, call, uuid7(), lease)
        await ingest.query("UPDATE calls SET paused = true, gate = gate + 1 WHERE id = :id", id=call_id)
        for gate, refusal in ((0, pytest.raises(GateChanged)), (1, nullcontext())):
            piece = NewPiece(0, 0, 8000, 8000, gate, "pcm_s16le", gap="paused")
            with refusal:
                async with database.reading() as connection:
                    await accept(connection, claim, piece, lease)
    [row] = await ingest.query("SELECT samples FROM calls WHERE id = :id", id=call_id)
    assert row.samples == 8000
