"""A vendor's own server is told what became of its calls."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from standardwebhooks import WebhookVerificationError

import servers
from ingest_service import Credentials, IngestService, MakeIngest, settled, start_call
from otokura.shared.events import TranscriptFailed
from otokura.shared.ids import uuid7
from phone_system import end_stream, send_all, speechlike, stream, told
from webhook_endpoint import Endpoint
from webhook_vendor import (
    ALLOWED,
    all_in_state,
    colleague,
    completed,
    deliveries_once,
    empty_call,
    fresh_key,
    publish,
    register,
    sealed_call,
)

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]

EXAMPLE = Path(__file__).parents[3] / "examples" / "webhook_receiver.py"


@pytest.fixture(scope="module")
def ingest(make_ingest: MakeIngest) -> IngestService:
    """May reach this machine; a client has at most three endpoints."""
    return make_ingest(
        webhook_allowed_networks=ALLOWED, webhooks_per_client=3, webhook_retry_seconds="0.1,0.1"
    )


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with Endpoint().listening() as found:
        yield found


@pytest.mark.guarantee("A31")
@pytest.mark.guarantee("A32")
async def test_a_sealed_call_is_told_with_its_hashes_and_nothing_personal(
    endpoint: Endpoint, client: httpx.AsyncClient, credentials: Credentials
) -> None:
    """Verified by a library that is not ours; the hashes are those that the API shows."""
    hook = await register(client, endpoint.url)
    call = await sealed_call(client)
    [request] = await endpoint.wait_for(1)
    body = request.verified(hook["secret"])
    assert body["type"] == "call.sealed"
    data = body["data"]
    assert data["call_id"] == call["id"]
    assert data["external_id"] == call["external_id"]
    assert data["tenant_id"] == str(credentials.tenant_id)
    assert data["duration_ms"] == 1000
    assert (data["channels"], data["sample_rate"], data["gaps"]) == (2, 8000, 0)
    assert data["recording"] == {
        "media_type": call["recording"]["media_type"],
        "bytes": call["recording"]["plaintext_bytes"],
        "sha256": call["recording"]["plaintext_sha256"],
        "manifest_sha256": call["recording"]["manifest_sha256"],
    }
    assert datetime.fromisoformat(body["timestamp"]).tzinfo is not None
    assert "8131234" not in request.body.decode()
    [delivery] = await deliveries_once(client, hook["id"], all_in_state("delivered"))
    assert delivery["id"] == request.webhook_id
    assert (delivery["event"], delivery["call_id"]) == ("call.sealed", call["id"])
    assert (delivery["attempts"], delivery["last_status"], delivery["next_attempt_at"]) == (1, 200, None)


@pytest.mark.guarantee("A31")
async def test_every_endpoint_gets_the_events_that_it_asked_for_and_no_others(
    endpoint: Endpoint, client: httpx.AsyncClient
) -> None:
    async with Endpoint().listening() as second:
        first = await register(client, endpoint.url, "call.empty")
        other = await register(client, second.url, "call.sealed", "call.empty")
        sealed, empty = await sealed_call(client), await empty_call(client)
        await second.wait_for(2)
        await endpoint.wait_for(1)
        told = {
            (body["type"], body["data"]["call_id"])
            for body in (request.verified(other["secret"]) for request in second.received)
        }
    assert told == {("call.sealed", sealed["id"]), ("call.empty", empty)}
    [only] = endpoint.received
    assert only.verified(first["secret"])["type"] == "call.empty"
    with pytest.raises(WebhookVerificationError):
        only.verified(other["secret"])
    ids = [request.webhook_id for request in (*second.received, only)]
    assert len(set(ids)) == 3


@pytest.mark.guarantee("A31")
async def test_a_call_that_failed_says_why(
    ingest: IngestService, endpoint: Endpoint, client: httpx.AsyncClient, credentials: Credentials
) -> None:
    """Its key was damaged."""
    hook = await register(client, endpoint.url, "call.failed")
    call = await start_call(client)
    async with stream(ingest.url, call["id"], credentials) as socket:
        await told(socket)
        await send_all(socket, speechlike(1, 8000, 2))
        await end_stream(socket)
    damage = "UPDATE calls SET commitment = repeat('0', 64) WHERE id = CAST(:id AS uuid)"
    await ingest.query(damage, id=call["id"])
    await client.post(f"/v1/calls/{call['id']}/end")
    [request] = await endpoint.wait_for(1)
    body = request.verified(hook["secret"])
    assert body["type"] == "call.failed"
    assert body["data"]["call_id"] == call["id"]
    assert body["data"]["failure"] == (await settled(client, call["id"]))["failure"]


@pytest.mark.guarantee("A31")
async def test_a_transcript_is_told_by_its_counts_once(
    endpoint: Endpoint, client: httpx.AsyncClient, credentials: Credentials, kafka_server: servers.KafkaServer
) -> None:
    """Completed or not; of a call that is unknown, or another tenant's, nobody hears."""
    hook = await register(client, endpoint.url, "call.transcribed")
    good, bad = await sealed_call(client), await sealed_call(client)
    strange = completed(credentials, good["id"], tenant_id=uuid7())
    unknown = completed(credentials, str(uuid7()))
    failed = TranscriptFailed(
        call_id=UUID(bad["id"]),
        tenant_id=credentials.tenant_id,
        version=1,
        reason="The recording cannot be decoded.",
        failed_at=datetime.now(UTC),
    )
    again = failed.model_copy(update={"call_id": UUID(good["id"]), "version": 2, "request_id": uuid7()})
    await publish(kafka_server, again, strange, unknown, completed(credentials, good["id"]), failed)
    bodies = [request.verified(hook["secret"]) for request in await endpoint.wait_for(2)]
    by_outcome = {body["data"]["outcome"]: body["data"] for body in bodies}
    assert {body["type"] for body in bodies} == {"call.transcribed"}
    assert by_outcome["completed"]["call_id"] == good["id"]
    assert by_outcome["completed"]["words"] == 40
    assert by_outcome["completed"]["sha256"] == "ab" * 32
    assert "object" not in by_outcome["completed"]
    assert by_outcome["failed"]["call_id"] == bad["id"]
    assert by_outcome["failed"]["reason"] == "The recording cannot be decoded."
    assert len(await deliveries_once(client, hook["id"], all_in_state("delivered"))) == 2


@pytest.mark.guarantee("A35")
async def test_another_client_sees_no_endpoint_of_ours_and_hears_of_no_call_of_ours(
    ingest: IngestService, endpoint: Endpoint, client: httpx.AsyncClient, credentials: Credentials
) -> None:
    """Of the same tenant or of another: ours look as if they were not there."""
    hook = await register(client, endpoint.url)
    stranger = await ingest.add_tenant()
    async with (
        Endpoint().listening() as theirs,
        colleague(ingest, credentials) as other,
        httpx.AsyncClient(base_url=ingest.url, headers=stranger.headers) as third,
    ):
        for somebody in (other, third):
            await register(somebody, theirs.url)
            path = f"/v1/webhooks/{hook['id']}"
            answers = [
                await somebody.get(path),
                await somebody.patch(path, json={"events": ["call.empty"]}),
                await somebody.delete(path),
                await somebody.get(f"{path}/deliveries"),
                await somebody.post(f"{path}/enable"),
                await somebody.post(f"{path}/secret", headers=fresh_key()),
                await somebody.post(f"{path}/test", headers=fresh_key()),
                await somebody.post(f"{path}/replay", json={"since": "2026-01-01T00:00:00Z"}),
            ]
            assert {answer.status_code for answer in answers} == {404}
            listed = (await somebody.get("/v1/webhooks")).json()["items"]
            assert [one["url"] for one in listed] == [theirs.url]
        await empty_call(client)
        await endpoint.wait_for(1)
        await empty_call(other, external_id="theirs")
        [request] = await theirs.wait_for(1)
    assert b'"external_id":"theirs"' in request.body
    assert len(endpoint.received) == 1


@pytest.mark.guarantee("A32")
async def test_after_a_rotation_both_secrets_sign_and_later_only_the_new(
    ingest: IngestService, endpoint: Endpoint, client: httpx.AsyncClient
) -> None:
    hook = await register(client, endpoint.url)
    key = fresh_key()
    answer = await client.post(f"/v1/webhooks/{hook['id']}/secret", headers=key)
    new = answer.json()["secret"]
    assert answer.status_code == 201
    assert new != hook["secret"]
    until = datetime.fromisoformat(answer.json()["previous_signs_until"])
    assert timedelta(hours=23) < until - datetime.now(UTC) < timedelta(hours=25)
    repeated = await client.post(f"/v1/webhooks/{hook['id']}/secret", headers=key)
    assert repeated.json() == {**answer.json(), "secret": None}
    await client.post(f"/v1/webhooks/{hook['id']}/test", headers=fresh_key())
    [during] = await endpoint.wait_for(1)
    assert during.verified(hook["secret"])["type"] == during.verified(new)["type"] == "webhook.test"
    await ingest.query("UPDATE webhook_secrets SET expires_at = now() WHERE expires_at IS NOT NULL")
    await client.post(f"/v1/webhooks/{hook['id']}/test", headers=fresh_key())
    after = (await endpoint.wait_for(2))[1]
    assert after.verified(new)["type"] == "webhook.test"
    with pytest.raises(WebhookVerificationError):
        after.verified(hook["secret"])


async def test_secrets_that_sign_at_once_are_few(endpoint: Endpoint, client: httpx.AsyncClient) -> None:
    hook = await register(client, endpoint.url)
    path = f"/v1/webhooks/{hook['id']}/secret"
    statuses = [(await client.post(path, headers=fresh_key())).status_code for _ in range(4)]
    assert statuses == [201, 201, 201, 409]


async def test_an_endpoint_is_listed_changed_and_deleted(
    ingest: IngestService, endpoint: Endpoint, client: httpx.AsyncClient
) -> None:
    """The secret is shown once; what is deleted leaves nothing behind."""
    hook = await register(client, endpoint.url, "call.sealed", "call.sealed")
    secret = hook.pop("secret")
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", secret)
    path = f"/v1/webhooks/{hook['id']}"
    assert (await client.get(path)).json() == hook
    assert hook["events"] == ["call.sealed"]
    assert (hook["state"], hook["disabled_reason"], hook["failing_since"]) == ("enabled", None, None)
    changed = await client.patch(path, json={"events": ["call.empty"], "description": "Staging"})
    assert changed.json() == {**hook, "events": ["call.empty"], "description": "Staging"}
    await empty_call(client)
    await endpoint.wait_for(1)
    assert (await client.delete(path)).status_code == 204
    assert (await client.get(path)).status_code == 404
    assert (await client.get("/v1/webhooks")).json() == {"items": []}
    for table in ("webhook_secrets", "webhook_deliveries"):
        query = f"SELECT 1 FROM {table} WHERE webhook_id = CAST(:id AS uuid)"  # noqa: S608
        assert await ingest.query(query, id=hook["id"]) == []


@pytest.mark.guarantee("W3")
async def test_a_repeated_registration_registers_once_and_shows_no_secret(
    endpoint: Endpoint, client: httpx.AsyncClient
) -> None:
    body, key = {"url": endpoint.url, "events": ["call.sealed"]}, fresh_key()
    first, second = [await client.post("/v1/webhooks", json=body, headers=key) for _ in range(2)]
    assert second.json() == {**first.json(), "secret": None}
    assert len((await client.get("/v1/webhooks")).json()["items"]) == 1
    assert (await client.post("/v1/webhooks", json=body)).status_code == 400


async def test_a_client_has_so_many_endpoints_and_no_more(
    endpoint: Endpoint, client: httpx.AsyncClient
) -> None:
    for _ in range(3):
        await register(client, endpoint.url)
    body = {"url": endpoint.url, "events": ["call.sealed"]}
    answer = await client.post("/v1/webhooks", json=body, headers=fresh_key())
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:otokura:problem:too-many-webhooks"


async def test_the_example_receiver_verifies_and_prints_what_it_is_told(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """As its own process, with nothing but the standard library; at Ctrl-C it takes its webhook away."""
    given = {"OTOKURA_INGEST": ingest.url, "OTOKURA_API_KEY": credentials.api_key, "PORT": "0"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(EXAMPLE), stdout=asyncio.subprocess.PIPE, env={**os.environ, **given}
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            assert b"listening" in await process.stdout.readline()
            [hook] = (await client.get("/v1/webhooks")).json()["items"]
            forged = await client.post(hook["url"], json={"type": "call.sealed"})
            assert forged.status_code == 401
            call = await empty_call(client)
            told_event, _, told_data = (await process.stdout.readline()).partition(b" ")
            assert (told_event, json.loads(told_data)["call_id"]) == (b"call.empty", call)
            await deliveries_once(client, hook["id"], all_in_state("delivered"))
            process.send_signal(signal.SIGINT)
            assert await process.wait() == 0
        assert (await client.get("/v1/webhooks")).json()["items"] == []
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
