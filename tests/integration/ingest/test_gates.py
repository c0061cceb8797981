"""Notice and purpose as gates of a tenant, and what of them is sealed."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from ingest_service import Credentials, IngestService, call_body, client_of, settled, start_call
from otokura.shared.ids import uuid7
from phone_system import end_stream, send_all, speechlike, stream, told

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]


@pytest.fixture
async def strict(ingest: IngestService) -> Credentials:
    """A tenant that demands notice and purpose."""
    return await ingest.add_tenant(require_notice=True, require_purpose=True, notice_version="2026-04")


@pytest.mark.guarantee("A23")
async def test_where_a_purpose_is_demanded_no_call_starts_without(
    ingest: IngestService, strict: Credentials
) -> None:
    async with client_of(ingest.url, strict) as client:
        body = call_body(purposes=[])
        refused = await client.post("/v1/calls", json=body, headers={"Idempotency-Key": str(uuid7())})
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:otokura:problem:purpose-needed")
    assert refused.json()["known"] == ["quality"]
    assert "quality" in refused.json()["detail"]
    query = "SELECT id FROM calls WHERE client_id = :client"
    assert await ingest.query(query, client=strict.client_id) == []


async def test_elsewhere_a_call_may_do_without(client: httpx.AsyncClient) -> None:
    assert (await start_call(client, purposes=[]))["purposes"] == []


@pytest.mark.guarantee("A23")
async def test_what_the_caller_was_told_is_sealed(ingest: IngestService, strict: Credentials) -> None:
    """The notice came after the start; its version and the purposes stand in the manifest."""
    pcm = speechlike(1, 8000, 2)
    async with client_of(ingest.url, strict) as client:
        call = await start_call(client, notice={"given": "none"})
        given: dict[str, Any] = {"given": "announced", "at": "2026-11-24T09:00:00Z", "version": "2026-04"}
        assert (await client.put(f"/v1/calls/{call['id']}/notice", json=given)).status_code == 200
        async with stream(ingest.url, call["id"], strict) as socket:
            await told(socket)
            await send_all(socket, pcm)
            await end_stream(socket)
        await client.post(f"/v1/calls/{call['id']}/end")
        sealed = await settled(client, call["id"])
    manifest, _ = await ingest.recording(call["id"])
    assert manifest.notice.model_dump(mode="json") == given
    assert manifest.purposes == ["quality"]
    assert sealed["recording"]["manifest_sha256"] == manifest.sha256()
    assert manifest.sha256() != manifest.model_copy(update={"purposes": []}).sha256()
