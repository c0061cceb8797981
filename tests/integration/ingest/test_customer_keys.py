"""A tenant with a key of its own: every recording is sealed for it, and ingest forgets its key in time."""

from __future__ import annotations

from base64 import b64decode
from typing import Any
from uuid import UUID

import httpx
import pytest

import customer
import servers
from erasures import requested
from ingest_service import Credentials, IngestService, client_of, settled, start_call
from messaging import eventually
from otokura.shared.customer_keys import PADDING, CustomerCopy
from otokura.shared.events import ErasedKind
from phone_system import end_stream, send_all, speechlike, stream, told
from webhook_vendor import completed, publish
from worker_support import silent_wav

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]
ROW = "SELECT kek_id, wrapped_dek, customer_key FROM calls WHERE id = CAST(:id AS uuid)"


@pytest.fixture
async def credentials(ingest: IngestService) -> Credentials:
    return await ingest.add_tenant(customer_key=customer.public_pem())


async def streamed(ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient) -> str:
    call = await start_call(client)
    async with stream(ingest.url, call["id"], credentials) as socket:
        await told(socket)
        await send_all(socket, speechlike(1.0, 8000, 2))
        await end_stream(socket)
    await client.post(f"/v1/calls/{call['id']}/end")
    return str(call["id"])


async def uploaded(ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient) -> str:
    del ingest, credentials
    call = await start_call(client)
    sent = await client.put(f"/v1/calls/{call['id']}/audio", content=silent_wav(1))
    assert sent.status_code in (200, 201), sent.text
    return str(call["id"])


@pytest.mark.guarantee("S27")
@pytest.mark.parametrize("way", [streamed, uploaded])
async def test_a_recording_is_sealed_for_the_customer_too(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient, way: Any
) -> None:
    call_id = await way(ingest, credentials, client)
    assert (await settled(client, call_id))["state"] == "sealed"
    [event] = [data for kind, data in await ingest.outbox(call_id) if kind == "otokura.recording.sealed.v1"]
    copy = CustomerCopy.model_validate(event["customer_key"])
    assert customer.private_key().decrypt(copy.wrapped, PADDING) == await ingest.dek(call_id)
    entries = [data for kind, data in await ingest.outbox(call_id) if kind == "audit"]
    [entry] = [entry for entry in entries if entry["action"] == "recording.sealed"]
    assert entry["detail"]["customer_key"] == copy.key_sha256


@pytest.mark.guarantee("S26")
async def test_ingest_forgets_the_key_when_the_call_is_transcribed(
    ingest: IngestService,
    credentials: Credentials,
    client: httpx.AsyncClient,
    kafka_server: servers.KafkaServer,
) -> None:
    call_id = await streamed(ingest, credentials, client)
    await settled(client, call_id)
    await publish(kafka_server, completed(credentials, call_id))

    async def forgotten() -> bool:
        [row] = await ingest.query(ROW, id=call_id)
        return bytes(row.wrapped_dek) == b""

    await eventually(forgotten)
    [row] = await ingest.query(ROW, id=call_id)
    copy = CustomerCopy(key_sha256=row.customer_key["key_sha256"], wrapped=row.customer_key["wrapped"])
    assert b64decode(row.customer_key["wrapped"]) == copy.wrapped
    entries = [data["action"] for kind, data in await ingest.outbox(call_id) if kind == "audit"]
    assert entries.count("key.handed-over") == 1


@pytest.mark.guarantee("S26")
@pytest.mark.parametrize("kind", [ErasedKind.RECORDING, ErasedKind.TRANSCRIPT])
async def test_ingest_forgets_the_key_when_retention_erases_before_it_is_transcribed(
    ingest: IngestService,
    credentials: Credentials,
    client: httpx.AsyncClient,
    kafka_server: servers.KafkaServer,
    kind: ErasedKind,
) -> None:
    call_id = await streamed(ingest, credentials, client)
    await settled(client, call_id)
    await publish(kafka_server, requested(UUID(call_id), credentials.tenant_id, kind))

    async def forgotten() -> bool:
        [row] = await ingest.query(ROW, id=call_id)
        return bytes(row.wrapped_dek) == b""

    await eventually(forgotten)


async def test_another_tenants_call_keeps_its_key(
    ingest: IngestService, kafka_server: servers.KafkaServer, credentials: Credentials
) -> None:
    del credentials
    other = await ingest.add_tenant()
    async with client_of(ingest.url, other) as client:
        call_id = await streamed(ingest, other, client)
        await settled(client, call_id)
        await publish(kafka_server, completed(other, call_id))
        [row] = await ingest.query(ROW, id=call_id)
    assert row.customer_key is None
    assert await ingest.dek(call_id)
