"""Ingest and the broker: it learns of tenants from it, and tells of calls through it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import httpx
import pytest
from aiokafka import AIOKafkaConsumer

import servers
from ingest_service import PURPOSES, Credentials, IngestService, client_of, settled, start_call
from messaging import settings_of
from otokura.shared.api_keys import hash_api_key, new_api_key
from otokura.shared.audit_events import AuditRecorded
from otokura.shared.cloudevents import decode, encode, read_type
from otokura.shared.events import (
    CallEnded,
    CallSettled,
    CallStarted,
    ClientUpdated,
    EventData,
    KeyWrapped,
    RecordingSealed,
    Role,
    TenantSettings,
    TenantUpdated,
)
from otokura.shared.ids import uuid7
from otokura.shared.manifest import Manifest
from otokura.shared.producer import Producer
from phone_system import end_stream, send_all, speechlike, stream, told

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]

TOLD = (KeyWrapped, CallStarted, CallEnded, RecordingSealed, CallSettled, AuditRecorded)
MODELS: dict[str, type[EventData]] = {model.TYPE: model for model in TOLD}


async def events_of(bootstrap: str, call_id: str) -> list[EventData]:
    """Everything that is told about a call, once something of each kind has come."""
    topics = sorted({str(model.TOPIC) for model in TOLD})
    consumer = AIOKafkaConsumer(
        *topics, bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    found: list[EventData] = []
    try:
        async with asyncio.timeout(90):
            while {type(event) for event in found} != set(TOLD):
                record = await consumer.getone()  # what other tests have sent to this broker is not ours
                model = MODELS.get(read_type(record.headers) or "")
                if model is not None and call_id.encode() in (record.value or b""):
                    found.append(decode(record).parse(model))
    finally:
        await consumer.stop()
    return found


async def tell(broker: servers.KafkaServer, *events: EventData) -> None:
    """What access would publish."""
    producer = Producer(settings_of(broker))
    try:
        await producer.send(*[encode(event, uuid7(), "access/test", datetime.now(UTC)) for event in events])
    finally:
        await producer.stop()


async def answered(client: httpx.AsyncClient, status: int) -> None:
    """Wait until the vendor is answered so: 401 while it is not known, 404 for a call that is not there."""
    async with asyncio.timeout(90):
        while True:
            if (await client.get(f"/v1/calls/{uuid7()}")).status_code == status:
                return
            await asyncio.sleep(0.1)


async def record(ingest: IngestService, credentials: Credentials) -> str:
    """A sealed call of two seconds; its id."""
    async with client_of(ingest.url, credentials) as client:
        call = await start_call(client)
        async with stream(ingest.url, call["id"], credentials) as socket:
            await told(socket)
            await send_all(socket, speechlike(2, 8000, 2))
            await end_stream(socket)
        await client.post(f"/v1/calls/{call['id']}/end")
        await settled(client, call["id"])
    return str(call["id"])


@pytest.mark.guarantee("A11")
async def test_a_vendor_known_from_the_broker_records_while_access_is_down(
    ingest: IngestService, kafka_server: servers.KafkaServer
) -> None:
    """There is no access service here at all: what it once told of is enough."""
    tenant_id, client_id = uuid7(), uuid7()
    key = new_api_key(client_id)
    settings = TenantSettings.model_validate({"purposes": PURPOSES})
    await tell(
        kafka_server,
        TenantUpdated(tenant_id=tenant_id, version=1, name="Test", settings=settings),
        ClientUpdated(
            client_id=client_id,
            tenant_id=tenant_id,
            version=1,
            name="CTI",
            roles=[Role.VENDOR],
            api_key_sha256=hash_api_key(key),
        ),
    )
    credentials = Credentials(tenant_id, client_id, key)
    async with client_of(ingest.url, credentials) as client:
        await answered(client, 404)
    call_id = await record(ingest, credentials)
    assert (await ingest.recording(call_id))[0].samples == 16_000


async def test_a_call_is_told_of_once_and_signed(
    ingest: IngestService, credentials: Credentials, kafka_server: servers.KafkaServer
) -> None:
    """Each event once, with growing versions; the manifest travels whole, its hash in a signed entry."""
    call_id = await record(ingest, credentials)
    events = await events_of(kafka_server.bootstrap, call_id)
    assert sorted(type(event).__name__ for event in events) == sorted(model.__name__ for model in TOLD)
    by_type = {type(event): event for event in events}
    sealed, entry = by_type[RecordingSealed], by_type[AuditRecorded]
    assert isinstance(sealed, RecordingSealed)
    assert isinstance(entry, AuditRecorded)
    assert Manifest.model_validate(sealed.manifest).sha256() == sealed.manifest_sha256
    assert entry.action == "recording.sealed"
    assert entry.detail["manifest_sha256"] == sealed.manifest_sha256
    assert entry.source.startswith("ingest/")
    assert ingest.signed(entry)
    started, ended, settled_ = by_type[CallStarted], by_type[CallEnded], by_type[CallSettled]
    assert isinstance(started, CallStarted)
    assert isinstance(ended, CallEnded)
    assert isinstance(settled_, CallSettled)
    assert started.version < ended.version < settled_.version
    assert settled_.version == sealed.version
    assert settled_.outcome == "sealed"


async def test_no_event_holds_a_number(
    ingest: IngestService, credentials: Credentials, kafka_server: servers.KafkaServer
) -> None:
    """Numbers are ciphertext in every event."""
    call_id = await record(ingest, credentials)
    for event in await events_of(kafka_server.bootstrap, call_id):
        assert "81312345678" not in event.model_dump_json()


async def test_a_disabled_tenant_records_nothing_more(
    credentials: Credentials, kafka_server: servers.KafkaServer, client: httpx.AsyncClient
) -> None:
    """Access says so on the broker, and ingest refuses from then on."""
    await answered(client, 404)
    settings = TenantSettings.model_validate({"purposes": PURPOSES})
    disabled = TenantUpdated(
        tenant_id=credentials.tenant_id, version=2, name="Test", disabled=True, settings=settings
    )
    await tell(kafka_server, disabled)
    await answered(client, 401)
