"""Resumable uploads, header by header, as https://tus.io/protocols/resumable-upload describes them."""

from __future__ import annotations

import base64
import hashlib
from email.utils import parsedate_to_datetime

import httpx
import pytest

from audio_files import wav
from ingest_service import Credentials, IngestService, client_of, start_call
from phone_system import speechlike
from tus_client import BYTES, MIB, TUS, announce, broken_patch, offset_of, offset_reached, patch, pieces

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]

WAV = wav(speechlike(2, 16_000, 2), 16_000, 2)
LONG = wav(speechlike(120, 48_000, 1), 48_000, 1)
MONO = {"channels": [{"role": "mixed"}]}


def checksum(data: bytes, algorithm: str = "sha256") -> dict[str, str]:
    digest = hashlib.new(algorithm, data).digest()
    return {"Upload-Checksum": f"{algorithm} {base64.b64encode(digest).decode()}"}


async def test_what_is_spoken_is_told_to_anybody(ingest: IngestService) -> None:
    """OPTIONS needs no credential and no version."""
    async with httpx.AsyncClient(base_url=ingest.url) as stranger:
        for path in ("/v1/calls/019a0000-0000-7000-8000-000000000000/uploads", "/v1/uploads/x"):
            response = await stranger.options(path)
            assert response.status_code == 204
            assert response.headers["tus-version"] == "1.0.0"
            assert response.headers["tus-max-size"] == str(4 * 1024**3)
            assert set(response.headers["tus-extension"].split(",")) == {
                *("creation", "creation-with-upload", "expiration", "checksum", "termination")
            }
            assert response.headers["tus-checksum-algorithm"] == "sha1,sha256"


@pytest.mark.guarantee("A40")
async def test_a_file_in_three_requests_is_sealed_to_the_byte(
    ingest: IngestService, client: httpx.AsyncClient
) -> None:
    """What is told at each step, and that the recording is the file with its hash."""
    call = await start_call(client, **MONO)
    upload = await announce(client, call, len(LONG), name="田中様 0312345678.wav")
    assert await offset_of(client, upload) == 0
    reached = 0
    for end in (5 * MIB + 1, 9 * MIB, len(LONG)):
        answer = await patch(client, upload, pieces(LONG[reached:end]), reached)
        assert answer.status_code == 204, answer.text
        assert answer.headers["upload-offset"] == str(end)
        assert answer.headers["tus-resumable"] == "1.0.0"
        shown = await client.head(upload, headers=TUS)
        assert shown.headers["upload-offset"] == str(end)
        assert shown.headers["upload-length"] == str(len(LONG))
        assert shown.headers["cache-control"] == "no-store"
        if end < len(LONG):
            assert parsedate_to_datetime(answer.headers["upload-expires"]).tzinfo is not None
            named = base64.b64encode("田中様 0312345678.wav".encode()).decode()
            assert shown.headers["upload-metadata"] == f"filename {named},confidential"
        reached = end
    view = (await client.get(f"/v1/calls/{call['id']}")).json()
    assert view["state"] == "sealed"
    assert view["recording"]["plaintext_sha256"] == hashlib.sha256(LONG).hexdigest()
    manifest, stored = await ingest.recording(call["id"])
    assert stored == LONG
    assert (manifest.origin, manifest.duration_ms, manifest.gaps) == ("upload", 120_000, [])


async def test_a_resumable_upload_is_told_like_any_call(
    ingest: IngestService, client: httpx.AsyncClient
) -> None:
    """Started, ended, sealed and settled each once; then the audit entry."""
    call = await start_call(client)
    upload = await announce(client, call, len(WAV))
    assert (await patch(client, upload, WAV, 0)).status_code == 204
    assert [kind for kind, _ in await ingest.outbox(call["id"])] == [
        "otokura.key.wrapped.v1",
        "otokura.call.started.v1",
        "otokura.call.ended.v1",
        "otokura.recording.sealed.v1",
        "otokura.call.settled.v1",
        "audit",
    ]


@pytest.mark.guarantee("A40")
async def test_a_broken_connection_costs_nothing_that_arrived(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """Two megabytes of eleven come, less than a part, and it breaks: they need not be sent again."""
    call = await start_call(client, **MONO)
    upload = await announce(client, call, len(LONG))
    await broken_patch(ingest, credentials, upload, LONG[: 2 * MIB], 0)
    await offset_reached(client, upload, 2 * MIB)
    await broken_patch(ingest, credentials, upload, LONG[2 * MIB : 8 * MIB], 2 * MIB)
    await offset_reached(client, upload, 8 * MIB)
    assert (await patch(client, upload, LONG[8 * MIB :], 8 * MIB)).status_code == 204
    assert (await ingest.recording(call["id"]))[1] == LONG


async def test_the_first_bytes_may_come_with_the_announcement(
    ingest: IngestService, client: httpx.AsyncClient
) -> None:
    """And so may all of them."""
    for sent in (WAV[:50_000], WAV):
        call = await start_call(client)
        headers = {**BYTES, "Upload-Length": str(len(WAV)), **checksum(sent)}
        created = await client.post(f"/v1/calls/{call['id']}/uploads", content=sent, headers=headers)
        assert created.status_code == 201, created.text
        assert created.headers["upload-offset"] == str(len(sent))
        rest = WAV[len(sent) :]
        answer = await patch(client, created.headers["location"], rest, len(sent))
        assert answer.status_code == 204, answer.text
        assert (await ingest.recording(call["id"]))[1] == WAV


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
async def test_a_changed_body_is_not_kept(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient, algorithm: str
) -> None:
    """460, the offset stays, no object of it remains; the right body is taken."""
    call = await start_call(client, **MONO)
    upload = await announce(client, call, len(LONG))
    changed = bytearray(LONG)
    changed[5 * MIB] ^= 1
    answer = await patch(client, upload, bytes(changed), 0, **checksum(LONG, algorithm))
    assert answer.status_code == 460, answer.text
    assert answer.json()["type"] == "urn:otokura:problem:checksum-mismatch"
    assert await offset_of(client, upload) == 0
    assert await ingest.objects(f"uploads/{credentials.tenant_id}/{call['id']}/") == []
    assert (await patch(client, upload, LONG, 0, **checksum(LONG, algorithm))).status_code == 204
    assert (await ingest.recording(call["id"]))[1] == LONG


async def test_a_broken_connection_keeps_nothing_that_could_not_be_checked(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """A checksum is of the whole body: without its end nothing is known."""
    call = await start_call(client, **MONO)
    upload = await announce(client, call, len(LONG))
    await broken_patch(ingest, credentials, upload, LONG[: 6 * MIB], 0, **checksum(LONG))
    await ingest.until_no_objects(f"uploads/{credentials.tenant_id}/{call['id']}/")
    assert await offset_of(client, upload) == 0


async def test_an_upload_is_given_up_by_delete(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """It is gone, its bytes soon are, and its call takes another."""
    call = await start_call(client)
    upload = await announce(client, call, len(WAV))
    await patch(client, upload, WAV[:60_000], 0)
    assert (await client.delete(upload, headers=TUS)).status_code == 204
    assert (await client.head(upload, headers=TUS)).status_code == 410
    assert (await client.delete(upload, headers=TUS)).status_code == 410
    answer = await patch(client, upload, WAV[60_000:], 60_000)
    assert answer.status_code == 410
    assert f"/v1/calls/{call['id']}/uploads" in answer.json()["detail"]
    await ingest.until_no_objects(f"uploads/{credentials.tenant_id}/{call['id']}/")
    again = await announce(client, call, len(WAV))
    assert (await patch(client, again, WAV, 0)).status_code == 204


async def test_what_is_complete_cannot_be_given_up_or_added_to(client: httpx.AsyncClient) -> None:
    """Whoever asks again is told the same."""
    call = await start_call(client)
    upload = await announce(client, call, len(WAV))
    assert (await patch(client, upload, WAV, 0)).status_code == 204
    assert (await client.delete(upload, headers=TUS)).status_code == 409
    assert (await patch(client, upload, b"", len(WAV))).status_code == 204
    assert (await patch(client, upload, b"more", len(WAV))).status_code == 413
    assert (await patch(client, upload, WAV, 0)).status_code == 409
    assert await offset_of(client, upload) == len(WAV)


async def test_proxies_that_know_only_post_are_no_hindrance(client: httpx.AsyncClient) -> None:
    """X-HTTP-Method-Override is the protocol's own way."""
    call = await start_call(client)
    upload = await announce(client, call, len(WAV))
    headers = {**BYTES, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
    assert (await client.post(upload, content=WAV[:1000], headers=headers)).status_code == 204
    assert await offset_of(client, upload) == 1000
    headers = {**TUS, "X-HTTP-Method-Override": "DELETE"}
    assert (await client.post(upload, headers=headers)).status_code == 204
    assert (await client.post(upload, headers=TUS)).status_code == 400


async def test_another_tenants_upload_does_not_exist(
    ingest: IngestService, client: httpx.AsyncClient
) -> None:
    """Not to be seen, written or given up, and told like one that never was."""
    call = await start_call(client)
    upload = await announce(client, call, len(WAV))
    async with client_of(ingest.url, await ingest.add_tenant()) as other:
        for response in (
            await other.head(upload, headers=TUS),
            await other.delete(upload, headers=TUS),
            await patch(other, upload, WAV, 0),
            await other.post(f"/v1/calls/{call['id']}/uploads", headers={**TUS, "Upload-Length": "1"}),
        ):
            assert response.status_code == 404
            assert response.headers["tus-resumable"] == "1.0.0"
    assert await offset_of(client, upload) == 0
