"""The outbox against a real PostgreSQL and a real broker, both of which die on the way."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka import ConsumerRecord
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

import servers
from messaging import (
    Broker,
    call_ended,
    eventually,
    key_is,
    messaging_database,
    read_topic,
    running,
    settings_of,
)
from messaging_process import process
from otokura.shared.audit import Action, AuditDraft, AuditWriter, verify_signature
from otokura.shared.audit_events import AuditRecorded
from otokura.shared.database import Database
from otokura.shared.errors import Unavailable
from otokura.shared.events import KeyWrapped, Topic
from otokura.shared.kafka import Producer, decode
from otokura.shared.outbox import RELAY_LOCK, OutboxRelay, publish, publish_audit

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with messaging_database(database_url) as database:
        yield database


@pytest.fixture
async def broker(kafka_server: servers.KafkaServer) -> Broker:
    return settings_of(kafka_server)


@pytest.fixture
async def producer(broker: Broker) -> AsyncIterator[Producer]:
    producer = Producer(broker)
    yield producer
    await producer.stop()


async def unsent(database: Database) -> int:
    async with database.session() as session:
        query = text("SELECT count(*) FROM outbox WHERE sent_at IS NULL")
        return int(await (await session.connection()).scalar(query) or 0)


async def all_sent(database: Database) -> bool:
    return await unsent(database) == 0


@pytest.mark.guarantee("E1")
async def test_an_event_is_sent_if_and_only_if_its_state_was_committed(
    database: Database, broker: Broker, producer: Producer
) -> None:
    call_id = uuid4()

    async def roll_back() -> None:
        async with database.session() as session:
            await publish(session, call_ended(call_id, 1))
            raise LookupError

    with pytest.raises(LookupError):
        await roll_back()
    async with database.session() as session:
        event_id = await publish(session, call_ended(call_id, 2))
        assert await unsent(database) == 0, "an event is visible before its transaction has committed"
    async with running(OutboxRelay(database, producer, None, "otokura/ingest").run()):
        await eventually(lambda: all_sent(database))
    (record,) = await read_topic(broker, Topic.CALLS, key_is(call_id), 1)
    envelope = decode(record)
    assert (envelope.event_id, envelope.source) == (event_id, "otokura/ingest")
    assert envelope.parse(type(call_ended())).version == 2


async def test_an_event_too_large_for_the_broker_is_refused_when_it_is_published(database: Database) -> None:
    event = KeyWrapped(
        call_id=uuid4(),
        tenant_id=uuid4(),
        version=1,
        kek_id="k",
        wrapped=b"YWFh" * 300_000,
        commitment="0" * 64,
    )
    with pytest.raises(ValueError, match="too large"):
        async with database.session() as session:
            await publish(session, event)


async def test_sent_events_are_deleted_after_a_day_and_unsent_ones_never(
    database: Database, producer: Producer
) -> None:
    async with database.session() as session:
        for version in (1, 2):
            await publish(session, call_ended(version=version))
        await (await session.connection()).execute(
            text("UPDATE outbox SET sent_at = now() - interval '25 hours' WHERE id % 2 = 1")
        )

    async def one_row() -> bool:
        async with database.session() as session:
            return bool(await (await session.connection()).scalar(text("SELECT count(*) = 1 FROM outbox")))

    async with running(OutboxRelay(database, producer, None, "test").run()):
        await eventually(lambda: all_sent(database))
        await eventually(one_row)


async def test_an_audit_entry_is_numbered_and_signed_when_it_is_sent(
    database: Database, broker: Broker, producer: Producer
) -> None:
    key = Ed25519PrivateKey.generate()
    writer = AuditWriter(producer, "ingest", key)
    await writer.start()
    async with database.session() as session:
        entry_id = await publish_audit(
            session, AuditDraft(action=Action.CALL_SETTLED, detail={"why": "test"})
        )
    async with running(OutboxRelay(database, producer, writer, "otokura/ingest").run()):
        await eventually(lambda: all_sent(database))
    await writer.stop()
    ours = key_is(writer.source)

    def is_entry(record: ConsumerRecord[Any, Any]) -> bool:
        return ours(record) and decode(record).event_type == AuditRecorded.TYPE

    records = await read_topic(broker, Topic.AUDIT, is_entry, 2)
    entry = decode(records[1]).parse(AuditRecorded)
    assert (entry.entry_id, entry.seq, entry.detail) == (entry_id, 2, {"why": "test"})
    assert verify_signature(entry, key.public_key())


@pytest.mark.guarantee("L1")
@pytest.mark.parametrize(
    "draft",
    [
        {"detail": {"why": ["x\0"]}},
        {"detail": {"why": "\ud800"}},
        {"detail": {"n": 2**60}},
        {"reader": "y" * 257},
    ],
    ids=["zero", "surrogate", "number", "reader"],
)
async def test_what_cannot_be_an_entry_is_not_put_behind_others(
    database: Database, draft: dict[str, Any]
) -> None:
    """Its transaction fails: the relay could never send it, nor anything after it."""
    async with database.session() as session:
        with pytest.raises(ValueError):  # noqa: PT011 - each its own message
            await publish_audit(session, AuditDraft(action=Action.CALL_SETTLED, **draft))
    assert await all_sent(database)


@pytest.mark.guarantee("E2")
async def test_one_relay_works_and_when_it_is_killed_another_takes_over(
    database_url: str, database: Database, broker: Broker, producer: Producer
) -> None:
    call_id = uuid4()

    async def publish_some(versions: range) -> None:
        for version in versions:
            async with database.session() as session:
                await publish(session, call_ended(call_id, version))
        await eventually(lambda: all_sent(database))

    async def leader() -> str | None:
        async with database.session() as session:
            query = text(
                "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid)"
                " WHERE locktype = 'advisory' AND granted AND classid = :high AND objid = :low"
                " AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
            halves = {"high": RELAY_LOCK >> 32, "low": RELAY_LOCK & 0xFFFFFFFF}
            return (await (await session.connection()).execute(query, halves)).scalar_one_or_none()

    async def first_leads() -> bool:
        return await leader() == "first-relay"

    async def second_leads() -> bool:
        return await leader() == "otokura"

    with process("relay", broker, database_url=database_url) as first:
        await eventually(first_leads)
        async with running(OutboxRelay(database, producer, None, "test").run()):
            await publish_some(range(1, 6))
            assert await first_leads()
            first.kill()
            await publish_some(range(6, 11))
            assert await second_leads()
    records = await read_topic(broker, Topic.CALLS, key_is(call_id), 10)
    assert first_seen([decode(record).parse(type(call_ended())).version for record in records]) == [
        *range(1, 11)
    ]


def first_seen(versions: list[int]) -> list[int]:
    """Without repeats, which at least once allows."""
    return list(dict.fromkeys(versions))


@pytest.mark.slow
@pytest.mark.guarantee("E2")
async def test_nothing_is_lost_and_order_is_kept_while_broker_and_database_are_killed() -> None:
    keys = [uuid4() for _ in range(4)]
    last = 40
    with servers.kafka(lasting=True) as kafka, servers.postgres() as postgres:
        broker = settings_of(kafka, partitions=2)
        async with messaging_database(await postgres.create_database("outbox", "secret")) as database:
            producer = Producer(broker)

            async def publish_in_order(key: UUID) -> None:
                version = 1
                while version <= last:
                    try:
                        async with database.session() as session:
                            await publish(session, call_ended(key, version))
                    except Unavailable:
                        # The outcome of a commit that was cut off is unknown: publish it again.
                        await asyncio.sleep(0.05)
                    else:
                        version += 1
                        await asyncio.sleep(0.05)

            async def kill_and_restart() -> None:
                for server in (kafka, postgres, kafka):
                    await asyncio.sleep(0.5)
                    server.kill()
                    await asyncio.sleep(0.5)
                    await asyncio.to_thread(server.start)

            async with running(OutboxRelay(database, producer, None, "test").run()):
                await asyncio.gather(kill_and_restart(), *map(publish_in_order, keys))
                await eventually(lambda: all_sent(database))
            await producer.stop()
        versions: dict[bytes, list[int]] = defaultdict(list)
        for record in await read_topic(broker, Topic.CALLS, lambda _: True, last * len(keys)):
            versions[record.key].append(decode(record).parse(type(call_ended())).version)
    for key in keys:
        seen = first_seen(versions[str(key).encode()])
        assert seen == [*range(1, len(seen) + 1)]
