"""What a resumable upload is refused for: always told what to do, and never at the cost of what is stored."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from audio_files import encoded, wav
from ingest_service import Credentials, IngestService, client_of, settled, start_call
from phone_system import speechlike
from tus_client import BYTES, TUS, announce, offset_of, patch, pieces

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]

WAV = wav(speechlike(2, 16_000, 2), 16_000, 2)
SHORT = {"Upload-Length": "1000"}


def without(headers: dict[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in headers.items() if key != name}


@pytest.mark.parametrize(
    ("headers", "status", "words"),
    [
        (without({**TUS, **SHORT}, "Tus-Resumable"), 412, "Tus-Resumable: 1.0.0"),
        ({**SHORT, "Tus-Resumable": "0.2.2"}, 412, "Tus-Resumable: 1.0.0"),
        (TUS, 400, "Upload-Length"),
        ({**TUS, "Upload-Length": "many"}, 400, "whole number"),
        ({**TUS, "Upload-Length": "-1"}, 400, "whole number"),
        ({**TUS, "Upload-Length": "1" + "0" * 400}, 400, "18 digits"),
        ({**TUS, "Upload-Length": "504576000000000"}, 413, "4294967296 bytes"),
        ({**TUS, "Upload-Length": "0"}, 422, "cannot be 0"),
        ({**TUS, "Upload-Defer-Length": "1"}, 400, "Upload-Length"),
        ({**TUS, **SHORT, "Upload-Concat": "partial"}, 400, "one upload"),
        ({**TUS, **SHORT, "Upload-Metadata": "filename not!base64"}, 400, "Base64"),
        ({**TUS, **SHORT, "Upload-Metadata": "a YQ==,a YQ=="}, 400, "no key twice"),
        ({**TUS, **SHORT, "Upload-Metadata": ","}, 400, "pairs"),
        ({**TUS, **SHORT, "Upload-Metadata": "a " + "YWFh" * 2000}, 400, "4096"),
    ],
)
async def test_an_announcement_that_cannot_be_kept_says_what_to_change(
    client: httpx.AsyncClient, headers: dict[str, str], status: int, words: str
) -> None:
    """An upload of 16 years of telephone audio among them; nothing is created."""
    call = await start_call(client)
    response = await client.post(f"/v1/calls/{call['id']}/uploads", headers=headers)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["tus-resumable"] == "1.0.0"
    assert words in response.json()["detail"]
    assert "location" not in response.headers
    if status == 412:
        assert response.headers["tus-version"] == "1.0.0"
    if status == 413:
        assert response.headers["tus-max-size"] == "4294967296"


async def test_bytes_must_be_declared_as_what_they_are(client: httpx.AsyncClient) -> None:
    call = await start_call(client)
    headers = {**TUS, **SHORT, "Content-Type": "audio/wav"}
    response = await client.post(f"/v1/calls/{call['id']}/uploads", content=b"RIFF", headers=headers)
    assert response.status_code == 415
    assert "application/offset+octet-stream" in response.json()["detail"]


@pytest.mark.parametrize(
    ("headers", "status", "words"),
    [
        (without(BYTES, "Tus-Resumable"), 412, "Tus-Resumable"),
        ({**BYTES, "Content-Type": "audio/wav"}, 415, "application/offset+octet-stream"),
        ({**BYTES, "Upload-Offset": "0"}, 409, "Upload-Offset: 60000"),
        ({**BYTES, "Upload-Offset": "60001"}, 409, "Upload-Offset: 60000"),
        ({**BYTES, "Upload-Offset": "first"}, 400, "whole number"),
        (without(BYTES, "Upload-Offset"), 400, "Upload-Offset"),
        ({**BYTES, "Upload-Checksum": "crc32 AAAA"}, 400, "sha1,sha256"),
        ({**BYTES, "Upload-Checksum": "sha1 AAAA"}, 400, "sha1 digest"),
        ({**BYTES, "Upload-Checksum": "sha1 (none)"}, 400, "sha1 digest"),
    ],
)
async def test_bytes_that_do_not_fit_leave_the_offset_where_it_is(
    client: httpx.AsyncClient, headers: dict[str, str], status: int, words: str
) -> None:
    call = await start_call(client)
    upload = await announce(client, call, len(WAV))
    assert (await patch(client, upload, WAV[:60_000], 0)).status_code == 204
    default = {} if words == "Upload-Offset" else {"Upload-Offset": "60000"}
    response = await client.patch(upload, content=WAV[60_000:], headers={**default, **headers})
    assert response.status_code == status, response.text
    assert words in response.json()["detail"]
    assert response.headers["tus-resumable"] == "1.0.0"
    assert await offset_of(client, upload) == 60_000
    assert (await patch(client, upload, WAV[60_000:], 60_000)).status_code == 204


@pytest.mark.parametrize("declared", [True, False], ids=["Content-Length", "chunked"])
async def test_more_than_was_announced_is_refused(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient, declared: bool
) -> None:
    """413; a file that turns out longer is another file, and no recording is made of its beginning."""
    call = await start_call(client)
    upload = await announce(client, call, len(WAV) - 1)
    response = await patch(client, upload, WAV if declared else pieces(WAV), 0)
    assert response.status_code == 413, response.text
    assert f"Upload-Length: {len(WAV) - 1}" in response.json()["detail"]
    assert await offset_of(client, upload) == 0
    assert (await client.get(f"/v1/calls/{call['id']}")).json()["state"] == "live"
    assert await ingest.objects(f"uploads/{credentials.tenant_id}/{call['id']}/") == []


@pytest.mark.guarantee("A9")
@pytest.mark.parametrize(
    ("make", "status", "words"),
    [
        (lambda: b"This is a letter, whatever its name says.\n" * 500, 415, "of another kind"),
        (lambda: WAV[: len(WAV) // 2], 415, "before the end"),
        (lambda: wav(speechlike(1, 8000, 1), 8000, 1), 422, "2 channel(s), the audio has 1"),
        (lambda: encoded(speechlike(1, 48_000, 2), 48_000, 2, "ac3", "ac3"), 415, "cannot be opened"),
    ],
    ids=["text", "cut off", "one channel of two", "a film's sound"],
)
async def test_a_file_that_is_no_recording_fails_its_call_and_says_why(
    ingest: IngestService,
    credentials: Credentials,
    client: httpx.AsyncClient,
    make: Callable[[], bytes],
    status: int,
    words: str,
) -> None:
    """The sender of the last byte is told; so is who asks later, of the upload or the call."""
    data, call = make(), await start_call(client)
    upload = await announce(client, call, len(data))
    answer = await patch(client, upload, data, 0)
    assert answer.status_code == status, answer.text
    assert words in answer.json()["detail"]
    assert (await client.head(upload, headers=TUS)).status_code == status
    again = await patch(client, upload, b"", len(data))
    assert (again.status_code, again.json()["type"]) == (status, answer.json()["type"])
    view = await settled(client, call["id"])
    assert (view["state"], view["failure"]) == ("failed", answer.json()["detail"])
    [told_of] = [data for kind, data in await ingest.outbox(call["id"]) if kind == "otokura.call.settled.v1"]
    assert (told_of["outcome"], told_of["reason"]) == ("failed", view["failure"])
    await ingest.until_no_objects(f"uploads/{credentials.tenant_id}/{call['id']}/")
    await ingest.until_no_objects(f"recordings/{credentials.tenant_id}/{call['id']}/")


async def test_an_upload_in_crumbs_is_refused_before_it_is_a_burden(
    ingest: IngestService, client: httpx.AsyncClient
) -> None:
    """Each request makes a part, however little it brings; ten thousand are enough for any file."""
    call = await start_call(client)
    upload = await announce(client, call, len(WAV))
    assert (await patch(client, upload, WAV[:1], 0)).status_code == 204
    query = "UPDATE uploads SET parts = 10000 WHERE call_id = CAST(:id AS uuid)"
    await ingest.query(query, id=call["id"])
    response = await patch(client, upload, WAV[1:2], 1)
    assert (response.status_code, response.json()["type"]) == (409, "urn:otokura:problem:too-many-parts")
    again = await announce(client, call, len(WAV))
    assert (await patch(client, again, WAV, 0)).status_code == 204


async def test_the_callers_notice_is_a_gate_for_files_too(ingest: IngestService) -> None:
    """Where the tenant demands it: none is announced before it, and then one is."""
    async with client_of(ingest.url, await ingest.add_tenant(require_notice=True)) as client:
        call = await start_call(client, notice={"given": "none"})
        where = f"/v1/calls/{call['id']}/uploads"
        response = await client.post(where, headers={**TUS, "Upload-Length": str(len(WAV))})
        assert (response.status_code, response.json()["type"]) == (409, "urn:otokura:problem:notice-needed")
        await client.put(f"/v1/calls/{call['id']}/notice", json={"given": "attested"})
        upload = await announce(client, call, len(WAV))
        assert (await patch(client, upload, WAV, 0)).status_code == 204


async def test_a_call_that_ended_takes_no_file(client: httpx.AsyncClient) -> None:
    """Neither a new one nor the rest of one that had begun."""
    call = await start_call(client)
    upload = await announce(client, call, len(WAV))
    await patch(client, upload, WAV[:60_000], 0)
    await client.post(f"/v1/calls/{call['id']}/end")
    rest = await patch(client, upload, WAV[60_000:], 60_000)
    assert rest.status_code in (409, 410), rest.text
    headers = {**TUS, "Upload-Length": str(len(WAV))}
    response = await client.post(f"/v1/calls/{call['id']}/uploads", headers=headers)
    assert (response.status_code, response.json()["type"]) == (409, "urn:otokura:problem:call-closed")
    assert (await settled(client, call["id"]))["state"] == "empty"
