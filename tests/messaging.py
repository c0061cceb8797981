"""What the messaging tests have in common: settings, tables, events, and waiting for things to happen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

import servers
from otokura.shared.consumer import EventContext
from otokura.shared.database import Database, migrate
from otokura.shared.events import CallEnded

TENANT = UUID("01900000-0000-7000-8000-000000000001")
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Broker:
    """`KafkaSettings` of the broker under test."""

    kafka_bootstrap: str
    kafka_idempotence: bool = False
    kafka_replication: int = 1
    kafka_min_insync: int = 1
    kafka_partitions: int = 1
    development: bool = True


def settings_of(server: servers.KafkaServer, *, partitions: int = 1) -> Broker:
    return Broker(server.bootstrap, server.idempotence, kafka_partitions=partitions)


@asynccontextmanager
async def messaging_database(url: str) -> AsyncIterator[Database]:
    """A database with the tables of `otokura.shared`."""
    await migrate(url, "sample_migrations")
    database = Database(url)
    try:
        yield database
    finally:
        await database.close()


def call_ended(call_id: UUID | None = None, version: int = 1) -> CallEnded:
    return CallEnded(
        call_id=call_id or uuid4(),
        tenant_id=TENANT,
        version=version,
        ended_at=datetime(2026, 4, 1, tzinfo=UTC),
    )


async def eventually(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    """Waits until the condition holds; fails when it does not within a minute."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        holds = condition()
        if holds if isinstance(holds, bool) else await holds:
            return
        assert time.monotonic() < deadline, "it did not happen within a minute"
        await asyncio.sleep(0.05)


@asynccontextmanager
async def running(*works: Coroutine[Any, Any, None]) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Runs works beside the block, and fails when one has failed by its end."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.result()


async def read_topic(
    broker: Broker, topic: str, wanted: Callable[[ConsumerRecord[Any, Any]], bool], count: int
) -> list[ConsumerRecord[Any, Any]]:
    """The first `count` records of a topic that are wanted, oldest first; fails when they do not come."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=broker.kafka_bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=50
    )
    found: list[ConsumerRecord[Any, Any]] = []
    await consumer.start()
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        partitions = [TopicPartition(topic, number) for number in range(broker.kafka_partitions)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning()
        while len(found) < count:
            assert time.monotonic() < deadline, f"{len(found)} of {count} records within a minute"
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found.extend(record for record in records if wanted(record))
    finally:
        await consumer.stop()
    return found


def key_is(key: object) -> Callable[[ConsumerRecord[Any, Any]], bool]:
    return lambda record: bool(record.key == str(key).encode())


async def make_effects(database: Database) -> None:
    """The table in which `record_effect` writes; it has no key, so that a second effect would show."""
    async with database.session() as session:
        await (await session.connection()).execute(
            text("CREATE TABLE effects (call_id uuid, version int, at timestamptz DEFAULT clock_timestamp())")
        )


async def record_effect(session: AsyncSession, event: CallEnded, _context: EventContext) -> None:
    """A handler whose effect can be counted."""
    await (await session.connection()).execute(
        text("INSERT INTO effects (call_id, version) VALUES (:call_id, :version)"),
        {"call_id": event.call_id, "version": event.version},
    )


async def effects(database: Database, call_id: UUID) -> list[int]:
    """The versions of a call's events that had their effect, in the order in which they had it."""
    async with database.session() as session:
        rows = await (await session.connection()).execute(
            text("SELECT version FROM effects WHERE call_id = :call_id ORDER BY at"), {"call_id": call_id}
        )
        return [row.version for row in rows]
