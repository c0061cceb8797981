"""The read model ends the same whatever order its events come in, and however often."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData

from access_audit import run
from access_calls import started_of
from access_grants import until
from access_service import Access, Tenant
from otokura.access.models import Table
from otokura.shared.cloudevents import encode
from otokura.shared.database import Database, migrate
from otokura.shared.errors import Poison
from otokura.shared.events import CallEvent, CallSettled, CallStarted, EventData, RecordingSealed
from otokura.shared.idempotency import idempotency_metadata
from otokura.shared.ids import uuid7
from otokura.shared.kafka import Producer
from otokura.shared.messaging_models import messaging_metadata
from otokura.shared.rewrapping_tables import rewrapping_metadata
from otokura.shared.tombstones import tombstone_metadata

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]
SELECTS = (
    "SELECT * FROM calls WHERE call_id = :id",
    "SELECT * FROM call_keys WHERE call_id = :id",
    "SELECT * FROM transcripts WHERE call_id = :id",
)
DELETES = tuple(statement.replace("SELECT *", "DELETE") for statement in SELECTS)


def rows(access: Access, call_id: object) -> list[Any]:
    """Everything that the read model holds of a call."""
    return [access.query(statement, id=call_id) for statement in SELECTS]


@pytest.mark.guarantee("R11")
def test_disorder_and_repeats_end_the_same(access: Access, tenant: Tenant) -> None:
    call = tenant.call()
    in_order = rows(access, call.id)
    older = started_of(call.id, tenant.id, version=0, external_id="older")
    for seed in range(6):
        for statement in DELETES:
            access.query(statement, id=call.id)
        events: list[CallEvent] = [*call.events, *call.events, older]
        random.Random(seed).shuffle(events)
        access.apply(*events)
        assert rows(access, call.id) == in_order


def test_a_call_is_not_shown_before_its_beginning_has_come(access: Access, tenant: Tenant) -> None:
    call = tenant.call()
    access.query("DELETE FROM calls WHERE call_id = :id", id=call.id)
    access.apply(*(event for event in call.events if not isinstance(event, CallStarted)))
    with access.client(tenant.person("supervisor").token) as client:
        assert client.get(f"/v1/calls/{call.id}").status_code == 404
        assert client.get("/v1/calls").json()["items"] == []
        access.apply(call.events[0])
        assert client.get(f"/v1/calls/{call.id}").json()["state"] == "sealed"


def test_a_newer_word_wins(access: Access, tenant: Tenant) -> None:
    call_id = uuid4()
    access.apply(started_of(call_id, tenant.id), started_of(call_id, tenant.id, version=5, language="en"))
    access.apply(started_of(call_id, tenant.id, version=3, language="fr"))
    [row] = access.query("SELECT language, started_version FROM calls WHERE call_id = :id", id=call_id)
    assert (row.language, row.started_version) == ("en", 5)


@pytest.mark.guarantee("R3")
def test_an_event_cannot_move_a_call_to_another_tenant(access: Access, tenant: Tenant) -> None:
    call, other = tenant.call(), access.tenant()
    stolen = CallSettled(
        call_id=call.id, tenant_id=other.id, version=99, outcome="empty", settled_at=datetime.now(UTC)
    )
    with pytest.raises(Poison):
        access.apply(stolen)


@pytest.mark.guarantee("R8")
@pytest.mark.parametrize("change", ["hash", "call", "form"])
def test_a_manifest_that_is_not_what_was_announced_is_refused(
    access: Access, tenant: Tenant, change: str
) -> None:
    call = tenant.call()
    [sealed] = [event for event in call.events if isinstance(event, RecordingSealed)]
    forged: dict[str, Any] = {
        "hash": {"manifest": {**sealed.manifest, "duration_ms": 1}},
        "call": {"call_id": tenant.call().id},
        "form": {"manifest": {"v": 1}},
    }
    with pytest.raises(Poison):
        access.apply(sealed.model_copy(update={"version": 9, **forged[change]}))


def test_events_on_kafka_become_calls(access: Access, tenant: Tenant) -> None:
    started = started_of(uuid7(), tenant.id)
    run(publish(access, started))
    with access.client(tenant.person("supervisor").token) as client:
        for _ in range(200):
            response = client.get(f"/v1/calls/{started.call_id}")
            if response.status_code == 200:
                break
            time.sleep(0.1)
    assert response.json()["external_id"] == started.external_id
    with access.client() as client:
        until(lambda: client.get("/readyz").status_code == 200)


async def publish(access: Access, event: EventData) -> None:
    producer = Producer(kafka_settings(access))
    try:
        await producer.send(encode(event, uuid7(), "test", datetime.now(UTC)))
    finally:
        await producer.stop()


def kafka_settings(access: Access) -> Any:
    """The Kafka part of access's settings, as an object."""
    return type("KafkaSettings", (), dict(access.kafka))()


async def test_migrations_make_the_tables_that_the_models_say(database_url: str) -> None:
    await migrate(database_url, "otokura.access.migrations")
    database = Database(database_url)
    try:
        async with database.session() as session:
            connection = await session.connection()
            differences = await connection.run_sync(compare)
    finally:
        await database.close()
    assert differences == []


def compare(connection: Connection) -> list[Any]:
    """What the models say beyond, or other than, the database."""
    everything = MetaData()
    shared = (messaging_metadata, idempotency_metadata, rewrapping_metadata, tombstone_metadata)
    for metadata in (Table.metadata, *shared):
        for table in metadata.tables.values():
            table.to_metadata(everything)
    options = {"compare_type": True, "include_name": lambda name, *_: name != "alembic_version"}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), everything))
