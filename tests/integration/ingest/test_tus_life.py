"""How resumable uploads live beside each other, beside other audio of their call, and how they end."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import httpx
import pytest

from audio_files import wav
from ingest_service import Credentials, IngestService, MakeIngest, client_of, settled, start_call
from otokura.shared.objects import ObjectStore
from phone_system import speechlike
from tus_client import MIB, TUS, announce, offset_of, patch

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]

WAV = wav(speechlike(2, 16_000, 2), 16_000, 2)
LONG = wav(speechlike(120, 48_000, 1), 48_000, 1)
MONO = {"channels": [{"role": "mixed"}]}


@pytest.fixture(scope="module")
def hasty(make_ingest: MakeIngest) -> IngestService:
    """Gives up: uploads that do not go on for twenty seconds, calls that are idle for two."""
    return make_ingest(lease_seconds=3, upload_expires_seconds=20, call_idle_seconds=2)


@pytest.fixture(scope="module")
def resigned(make_ingest: MakeIngest) -> IngestService:
    """Gives sealing up at once."""
    return make_ingest(lease_seconds=3, seal_attempts=1)


@pytest.mark.slow
@pytest.mark.guarantee("A46")
async def test_an_upload_that_does_not_go_on_is_deleted_and_its_call_ends_empty(hasty: IngestService) -> None:
    """Until then the call waits for it, however idle; what is stored of the file goes."""
    credentials = await hasty.add_tenant()
    async with client_of(hasty.url, credentials) as client:
        call, idle = await start_call(client), await start_call(client)
        upload = await announce(client, call, len(WAV))
        assert (await patch(client, upload, WAV[:60_000], 0)).status_code == 204
        assert (await settled(client, idle["id"]))["state"] == "empty"
        assert (await client.get(f"/v1/calls/{call['id']}")).json()["state"] == "live"
        assert (await settled(client, call["id"]))["state"] == "empty"
        assert (await client.head(upload, headers=TUS)).status_code in (404, 410)
        await hasty.until_no_objects(f"uploads/{credentials.tenant_id}/{call['id']}/")


@pytest.mark.guarantee("A41")
async def test_a_newer_upload_of_a_call_takes_the_place_of_the_older(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """A client that lost the address begins again, and nothing of the first stays."""
    call = await start_call(client)
    lost = await announce(client, call, len(WAV))
    await patch(client, lost, WAV[:60_000], 0)
    upload = await announce(client, call, len(WAV))
    assert (await client.head(lost, headers=TUS)).status_code == 410
    assert (await patch(client, lost, WAV[60_000:], 60_000)).status_code == 410
    assert (await patch(client, upload, WAV, 0)).status_code == 204
    await ingest.until_no_objects(f"uploads/{credentials.tenant_id}/{call['id']}/")
    assert (await ingest.recording(call["id"]))[1] == WAV


@pytest.mark.guarantee("A41")
async def test_of_two_requests_at_once_the_newer_writes(
    ingest: IngestService, client: httpx.AsyncClient
) -> None:
    """The older, whose connection may be dead, is refused at its next part; the file is never a mixture."""
    call = await start_call(client, **MONO)
    upload = await announce(client, call, len(LONG))
    other = bytes(len(LONG))
    release = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield other[: 3 * MIB]
        await release.wait()
        yield other[3 * MIB :]

    query = "SELECT epoch FROM uploads WHERE call_id = CAST(:id AS uuid)"
    before = await ingest.query(query, id=call["id"])
    older = asyncio.create_task(patch(client, upload, slowly(), 0))
    await ingest.until_changed(query, before, id=call["id"])
    assert (await patch(client, upload, LONG[: 6 * MIB], 0)).status_code == 204
    release.set()
    refused = await older
    assert refused.status_code == 409, refused.text
    assert refused.json()["type"] == "urn:otokura:problem:upload-taken-over"
    assert await offset_of(client, upload) == 6 * MIB
    assert (await patch(client, upload, LONG[6 * MIB :], 6 * MIB)).status_code == 204
    assert (await ingest.recording(call["id"]))[1] == LONG


@pytest.mark.guarantee("A41")
async def test_many_requests_at_once_make_one_file(ingest: IngestService, client: httpx.AsyncClient) -> None:
    """Eight send the same bytes; each answer is 204 or a conflict, and the bytes are there once."""
    call = await start_call(client)
    upload = await announce(client, call, len(WAV))
    answers = await asyncio.gather(*(patch(client, upload, WAV, 0) for _ in range(8)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses[0] == 204
    assert set(statuses) <= {204, 409}
    assert (await settled(client, call["id"]))["state"] == "sealed"
    assert (await ingest.recording(call["id"]))[1] == WAV
    kinds = [kind for kind, _ in await ingest.outbox(call["id"])]
    assert kinds.count("otokura.recording.sealed.v1") == 1


async def test_a_whole_file_overtakes_one_in_parts(ingest: IngestService, client: httpx.AsyncClient) -> None:
    """The call has its recording; the rest of the other file is refused."""
    call = await start_call(client)
    upload = await announce(client, call, len(LONG))
    await patch(client, upload, LONG[:MIB], 0)
    assert (await client.put(f"/v1/calls/{call['id']}/audio", content=WAV)).status_code == 201
    rest = await patch(client, upload, LONG[MIB:], MIB)
    assert rest.status_code in (409, 410), rest.text
    assert (await ingest.recording(call["id"]))[1] == WAV


@pytest.mark.guarantee("A42")
async def test_parts_hold_nothing_readable_and_no_name_is_kept(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """The store has ciphertext, the database and the log no file name."""
    call = await start_call(client, **MONO)
    upload = await announce(client, call, len(LONG), name="yamada-0312345678.wav")
    await patch(client, upload, LONG[: 9 * MIB], 0)
    names = await ingest.objects(f"uploads/{credentials.tenant_id}/{call['id']}/")
    assert [int(re.sub(r".*/(\d+)-\d+", r"\1", name)) for name in names] == [0, 4 * MIB, 8 * MIB]
    async with ingest.store() as store:
        held = b"".join([await store.get("recordings", name) for name in names])
    assert len(held) > 9 * MIB
    for start in range(0, 9 * MIB, MIB):
        assert LONG[start : start + 64] not in held
    query = "SELECT metadata FROM uploads WHERE call_id = CAST(:id AS uuid)"
    [row] = await ingest.query(query, id=call["id"])
    assert b"0312345678" not in row.metadata
    assert "0312345678" not in ingest.log_text()


@pytest.mark.guarantee("A42")
async def test_a_part_that_is_not_what_was_stored_never_becomes_a_recording(resigned: IngestService) -> None:
    """Flipped, swapped, missing, another upload's: the call fails, loudly, and what there is is kept."""
    credentials = await resigned.add_tenant()
    async with client_of(resigned.url, credentials) as client, resigned.store() as store:
        damages = ("flipped", "swapped", "missing", "another upload's")
        prefixes = await asyncio.gather(
            *(damaged(resigned, client, store, credentials, how) for how in damages)
        )
    assert resigned.log_text().count("sealing.failed") >= len(damages)
    for prefix in prefixes:
        assert len(await resigned.objects(prefix)) >= 2


async def damaged(
    ingest: IngestService, client: httpx.AsyncClient, store: ObjectStore, credentials: Credentials, how: str
) -> str:
    """Upload a file whose first part is damaged before the last comes; where its parts lie."""
    call = await start_call(client, **MONO)
    prefix = f"uploads/{credentials.tenant_id}/{call['id']}/"
    first = await announce(client, call, len(LONG))
    await patch(client, first, LONG[: 9 * MIB], 0)
    foreign = await store.get("recordings", (await ingest.objects(prefix))[0])
    upload = await announce(client, call, len(LONG))
    await patch(client, upload, LONG[: 9 * MIB], 0)
    prefix += upload.rpartition("/")[2]
    names = await ingest.objects(prefix)
    one, two = [await store.get("recordings", name) for name in names[:2]]
    flipped = bytearray(one)
    flipped[len(one) // 2] ^= 1
    match how:
        case "swapped":
            await store.put("recordings", names[0], two)
            await store.put("recordings", names[1], one)
        case "missing":
            await store.delete("recordings", names[0])
        case _:
            await store.put("recordings", names[0], bytes(flipped) if how == "flipped" else foreign)
    await patch(client, upload, LONG[9 * MIB :], 9 * MIB)
    view = await settled(client, call["id"], patience=90)
    assert (how, view["state"], view["recording"]) == (how, "failed", None)
    return prefix
