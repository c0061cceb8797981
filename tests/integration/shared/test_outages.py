"""Producers and consumers while broker, database and members of the group come and go."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import partial
from uuid import UUID, uuid4

import pytest

import servers
from messaging import (
    call_ended,
    effects,
    eventually,
    make_effects,
    messaging_database,
    record_effect,
    running,
    settings_of,
)
from otokura.shared.consumer import Consumer, Subscription
from otokura.shared.errors import Unavailable
from otokura.shared.events import CallEnded, Topic
from otokura.shared.kafka import Producer, Record, encode
from otokura.shared.offsets import partitions_of

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]


def record_of(event: CallEnded) -> Record:
    return encode(event, uuid4(), "test", datetime.now(UTC))


@pytest.mark.slow
@pytest.mark.guarantee("E2")
async def test_nothing_is_lost_while_broker_database_and_members_come_and_go() -> None:
    calls = [uuid4() for _ in range(6)]
    last = 30
    with servers.kafka(lasting=True) as kafka, servers.postgres() as postgres:
        broker = settings_of(kafka, partitions=2)
        async with messaging_database(await postgres.create_database("consumer", "secret")) as database:
            await make_effects(database)
            producer = Producer(broker)

            def member() -> Consumer:
                return Consumer(broker, "group", database, [Subscription(CallEnded, record_effect)])

            async def send(call_id: UUID) -> None:
                for version in range(1, last + 1):
                    await eventually(partial(acknowledged, record_of(call_ended(call_id, version))))
                    await asyncio.sleep(0.1)

            async def acknowledged(record: Record) -> bool:
                return all(await producer.send_all([record]))

            async def all_seen() -> bool:
                try:
                    return all([len(await effects(database, call)) >= last for call in calls])
                except Unavailable:
                    return False

            async def disturb() -> None:
                await asyncio.sleep(4)
                for server in (kafka, postgres):
                    server.kill()
                    await asyncio.sleep(1)
                    await asyncio.to_thread(server.start)
                    await asyncio.sleep(2)

            async with running(member().run()):
                async with running(member().run()):
                    await asyncio.gather(disturb(), *map(send, calls))
                await eventually(all_seen)
            for call in calls:
                assert await effects(database, call) == [*range(1, last + 1)]
            assert len(await partitions_of(broker, [Topic.CALLS])) == 2
            await producer.stop()
