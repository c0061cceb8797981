"""What was accepted survives: kill -9 of the process, a damaged store, a forgotten call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from flac_decoding import decoded
from ingest_service import Credentials, IngestService, MakeIngest, client_of, settled, start_call
from phone_system import JournalledStream, end_stream, send_all, speechlike, stream, told

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]


@pytest.fixture(scope="module")
def ingest(make_ingest: MakeIngest) -> IngestService:
    """Segments of a second, and short leases."""
    return make_ingest(segment_seconds=1, lease_seconds=3, flush_seconds=1.0)


@pytest.fixture(scope="module")
def forgetful(make_ingest: MakeIngest) -> IngestService:
    """Ends calls that were idle for four seconds."""
    return make_ingest(segment_seconds=1, lease_seconds=3, flush_seconds=1.0, call_idle_seconds=4)


@pytest.fixture
async def client(ingest: IngestService, credentials: Credentials) -> AsyncIterator[httpx.AsyncClient]:
    """Patient: the service is away for a moment in these tests."""
    transport = httpx.AsyncHTTPTransport(retries=8)
    async with httpx.AsyncClient(
        transport=transport, base_url=ingest.url, headers=credentials.headers, timeout=60
    ) as found:
        yield found


@pytest.mark.slow
@pytest.mark.guarantee("A2")
async def test_kill_9_in_the_middle_of_calls_loses_nothing_that_was_accepted(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """Three calls under way, four kills; each phone system goes on from what it was told, by its journal."""
    journals = [speechlike(20, 8000, 2, seed) for seed in range(3)]
    calls = [await start_call(client) for _ in journals]
    phones = [
        JournalledStream(ingest.url, call["id"], credentials, pcm, frame=4)
        for call, pcm in zip(calls, journals, strict=True)
    ]
    sending = [asyncio.create_task(phone.run(pace=0.05)) for phone in phones]
    for victim in (0, 1, 2, 0):
        phones[victim].progressed.clear()
        progressed = asyncio.create_task(phones[victim].progressed.wait())
        await asyncio.wait((progressed, sending[victim]), return_when=asyncio.FIRST_COMPLETED)
        assert progressed.done(), "the call was over before the kill"
        ingest.program.kill()
        await ingest.restart()
    await asyncio.gather(*sending)
    assert max(phone.connections for phone in phones) > 1
    for call, pcm in zip(calls, journals, strict=True):
        await client.post(f"/v1/calls/{call['id']}/end")
        assert (await settled(client, call["id"]))["state"] == "sealed"
        assert decoded((await ingest.recording(call["id"]))[1], 2) == pcm
        kinds = [kind for kind, _ in await ingest.outbox(call["id"])]
        assert kinds.count("otokura.call.settled.v1") == 1
        assert kinds.count("otokura.recording.sealed.v1") == 1


@pytest.mark.guarantee("A6")
async def test_sealing_is_taken_over_from_a_dead_owner(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """The process dies as soon as the call has ended; another seals it when the lease is over."""
    pcm = speechlike(30, 8000, 2, 7)
    call = await start_call(client)
    async with stream(ingest.url, call["id"], credentials) as socket:
        await told(socket)
        await send_all(socket, pcm, chunk=32_000)
        await end_stream(socket)
    await client.post(f"/v1/calls/{call['id']}/end")
    ingest.program.kill()
    try:
        with ingest.another() as other_url:
            async with client_of(other_url, credentials) as other:
                assert (await settled(other, call["id"]))["state"] == "sealed"
    finally:
        await ingest.restart()
    assert decoded((await ingest.recording(call["id"]))[1], 2) == pcm


@pytest.mark.guarantee("A6")
async def test_a_call_whose_phone_system_never_came_back_is_sealed_with_what_there_is(
    forgetful: IngestService,
) -> None:
    """Its owner died, and nobody reconnects: the sweeper ends it."""
    pcm, credentials = speechlike(2, 8000, 2, 8), await forgetful.add_tenant()
    async with client_of(forgetful.url, credentials) as client:
        call = await start_call(client)
        async with stream(forgetful.url, call["id"], credentials) as socket:
            await told(socket)
            await send_all(socket, pcm)
            while (await told(socket))["accepted_samples"] < 16_000:
                continue
            forgetful.program.kill()
    await forgetful.restart()
    async with client_of(forgetful.url, credentials) as client:
        assert (await settled(client, call["id"]))["state"] == "sealed"
    assert decoded((await forgetful.recording(call["id"]))[1], 2) == pcm


@pytest.mark.guarantee("A4")
async def test_a_call_without_audio_that_nobody_ends_settles_empty(forgetful: IngestService) -> None:
    async with client_of(forgetful.url, await forgetful.add_tenant()) as client:
        call = await start_call(client)
        assert (await settled(client, call["id"]))["state"] == "empty"


async def test_segments_are_deleted_once_their_call_is_sealed(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """Only the recording stays; of its rows nothing either."""
    call = await recorded(ingest, credentials, client, seconds=3)
    await client.post(f"/v1/calls/{call}/end")
    await settled(client, call)
    await cleaned(ingest, call)
    assert await ingest.objects(f"segments/{credentials.tenant_id}/{call}/") == []
    assert len(await ingest.objects(f"recordings/{credentials.tenant_id}/{call}/")) == 1
    assert await ingest.query("SELECT 1 FROM pieces WHERE call_id = CAST(:id AS uuid)", id=call) == []


async def recorded(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient, seconds: float
) -> str:
    """A live call with this much audio accepted; its id."""
    call = await start_call(client)
    async with stream(ingest.url, call["id"], credentials) as socket:
        await told(socket)
        await send_all(socket, speechlike(seconds, 8000, 2, 5))
        await end_stream(socket)
    return str(call["id"])


async def cleaned(ingest: IngestService, call_id: str) -> None:
    query = "SELECT 1 FROM calls WHERE id = CAST(:id AS uuid) AND cleaned_at IS NOT NULL"
    async with asyncio.timeout(30):
        while True:
            if await ingest.query(query, id=call_id):
                return
            await asyncio.sleep(0.05)


@pytest.mark.guarantee("A8")
@pytest.mark.parametrize("damage", ["flipped", "swapped", "missing"])
async def test_a_damaged_segment_becomes_a_gap_that_is_told(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient, damage: str
) -> None:
    """A bit flipped, two segments swapped, one gone: never other audio, and nothing is hidden."""
    call = await recorded(ingest, credentials, client, seconds=3)
    names = await ingest.objects(f"segments/{credentials.tenant_id}/{call}/")
    assert [name.rpartition("/")[2] for name in names] == ["2-0", "2-1", "2-2"]
    async with ingest.store() as store:
        first, second = [await store.get("recordings", name) for name in names[:2]]
        if damage == "flipped":
            broken = bytearray(second)
            broken[len(broken) // 2] ^= 1
            await store.put("recordings", names[1], bytes(broken))
        elif damage == "swapped":
            await store.put("recordings", names[0], second)
            await store.put("recordings", names[1], first)
        else:
            await store.delete("recordings", names[1])
    await client.post(f"/v1/calls/{call}/end")
    assert (await settled(client, call))["state"] == "sealed"
    manifest, flac = await ingest.recording(call)
    lost = [0, 1] if damage == "swapped" else [1]
    pcm = bytearray(speechlike(3, 8000, 2, 5))
    for seq in lost:
        pcm[seq * 32_000 : (seq + 1) * 32_000] = bytes(32_000)
    assert decoded(flac, 2) == bytes(pcm)
    assert [gap.model_dump(exclude_none=True) for gap in manifest.gaps] == [
        {"start_sample": lost[0] * 8000, "samples": len(lost) * 8000, "reason": "lost"}
    ]
    [entry] = [data for kind, data in await ingest.outbox(call) if kind == "audit"]
    assert entry["detail"]["lost_segments"] == lost
    assert "segment.unreadable" in ingest.log_text()


@pytest.mark.guarantee("A8")
@pytest.mark.parametrize("column", ["wrapped_dek", "commitment"])
async def test_a_changed_key_fails_the_call_and_keeps_its_segments(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient, column: str
) -> None:
    """A bit flipped in the wrapped key, or another commitment: loud, final, and nothing is deleted."""
    call = await recorded(ingest, credentials, client, seconds=2)
    changed = (
        "wrapped_dek = set_byte(wrapped_dek, 20, get_byte(wrapped_dek, 20) # 1)"
        if column == "wrapped_dek"
        else "commitment = repeat('0', 64)"
    )
    await ingest.query(f"UPDATE calls SET {changed} WHERE id = CAST(:id AS uuid)", id=call)  # noqa: S608
    await client.post(f"/v1/calls/{call}/end")
    failed = await settled(client, call)
    assert failed["state"] == "failed"
    assert "key" in failed["failure"]
    await cleaned(ingest, call)
    assert len(await ingest.objects(f"segments/{credentials.tenant_id}/{call}/")) == 2
    [told_of] = [data for kind, data in await ingest.outbox(call) if kind == "otokura.call.settled.v1"]
    assert told_of["outcome"] == "failed"
