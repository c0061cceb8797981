"""An erased call leaves nothing in ingest: no row, no key, no object, whatever is told of it afterwards."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest

import servers
from erasures import GONE, requested
from ingest_service import Credentials, IngestService, settled, start_call
from otokura.shared.events import ErasedKind, ErasureApplied, ErasureRequested
from otokura.shared.ids import uuid7
from phone_system import end_stream, send_all, speechlike, stream, told
from webhook_vendor import completed, publish

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]
TABLES = GONE["ingest"]


async def recorded(ingest: IngestService, client: httpx.AsyncClient, credentials: Credentials) -> str:
    """A sealed call of two seconds, whose segments may still be there; its id."""
    call = await start_call(client, caller="+81312345678")
    once = {"Idempotency-Key": str(uuid7())}
    given = await client.post(f"/v1/calls/{call['id']}/audiosocket", json={}, headers=once)
    assert given.status_code == 201, given.text
    async with stream(ingest.url, call["id"], credentials) as socket:
        await told(socket)
        await send_all(socket, speechlike(2, 8000, 2))
        await end_stream(socket)
    await client.post(f"/v1/calls/{call['id']}/end")
    await settled(client, call["id"])
    return str(call["id"])


async def applied(ingest: IngestService, event: ErasureRequested) -> dict[str, Any]:
    """What ingest confirms, once it does."""
    async with asyncio.timeout(60):
        while True:
            told = await ingest.outbox(str(event.call_id))
            for kind, data in told:
                if kind == ErasureApplied.TYPE and data["erasure_id"] == str(event.erasure_id):
                    return data
            await asyncio.sleep(0.05)


async def rows(ingest: IngestService, call_id: str) -> dict[str, int]:
    counted: dict[str, int] = {}
    for table in TABLES:
        column = "id" if table == "calls" else "call_id"
        query = f"SELECT count(*) AS n FROM {table} WHERE {column} = CAST(:id AS uuid)"  # noqa: S608 - constants
        [row] = await ingest.query(query, id=call_id)
        counted[table] = row.n
    return counted


async def objects(ingest: IngestService, credentials: Credentials, call_id: str) -> list[str]:
    prefixes = [
        f"{kind}/{credentials.tenant_id}/{call_id}/" for kind in ("segments", "uploads", "recordings")
    ]
    return [name for prefix in prefixes for name in await ingest.objects(prefix)]


@pytest.mark.guarantee("Z2")
@pytest.mark.guarantee("Z3")
async def test_rows_key_and_objects_go_and_a_late_transcript_brings_nothing_back(
    ingest: IngestService,
    client: httpx.AsyncClient,
    credentials: Credentials,
    kafka_server: servers.KafkaServer,
) -> None:
    # Erased is the newest: what was given out for a call is forgotten when something is for the next.
    kept = await recorded(ingest, client, credentials)
    call_id = await recorded(ingest, client, credentials)
    assert await objects(ingest, credentials, call_id) != []
    [key] = await ingest.query("SELECT kek_id FROM calls WHERE id = CAST(:id AS uuid)", id=call_id)
    event = requested(UUID(call_id), credentials.tenant_id)
    await publish(kafka_server, event)
    told = await applied(ingest, event)
    assert told["kek_ids"] == [key.kek_id]
    assert told["counts"]["calls"] == 1
    assert told["counts"]["objects"] >= 1
    assert (await client.get(f"/v1/calls/{call_id}")).status_code == 404
    await publish(kafka_server, completed(credentials, call_id), event)
    await publish(kafka_server, requested(UUID(call_id), credentials.tenant_id))
    assert await rows(ingest, call_id) == dict.fromkeys(TABLES, 0)
    assert await objects(ingest, credentials, call_id) == []
    assert (await client.get(f"/v1/calls/{kept}")).json()["state"] == "sealed"
    assert len(await objects(ingest, credentials, kept)) >= 1
    entries = [data for kind, data in await ingest.outbox(call_id) if kind == "audit"]
    [entry] = [each for each in entries if each["action"] == "erasure.applied"]
    assert entry["reader"] is None
    assert entry["detail"]["service"] == "ingest"


async def test_of_a_recording_alone_the_call_stays(
    ingest: IngestService,
    client: httpx.AsyncClient,
    credentials: Credentials,
    kafka_server: servers.KafkaServer,
) -> None:
    call_id = await recorded(ingest, client, credentials)
    event = requested(UUID(call_id), credentials.tenant_id, ErasedKind.RECORDING)
    await publish(kafka_server, event)
    assert (await applied(ingest, event))["kek_ids"] == []
    assert await objects(ingest, credentials, call_id) == []
    assert (await rows(ingest, call_id))["calls"] == 1
    text_only = requested(UUID(call_id), credentials.tenant_id, ErasedKind.TRANSCRIPT)
    await publish(kafka_server, text_only)
    assert (await applied(ingest, text_only))["counts"] == {}


@pytest.mark.guarantee("Z8")
async def test_an_erasure_in_the_name_of_another_tenant_finds_nothing(
    ingest: IngestService,
    client: httpx.AsyncClient,
    credentials: Credentials,
    kafka_server: servers.KafkaServer,
) -> None:
    call_id = await recorded(ingest, client, credentials)
    event = requested(UUID(call_id), (await ingest.add_tenant()).tenant_id)
    await publish(kafka_server, event)
    assert (await applied(ingest, event))["counts"] == {}
    assert (await client.get(f"/v1/calls/{call_id}")).json()["state"] == "sealed"
    assert len(await objects(ingest, credentials, call_id)) >= 1
