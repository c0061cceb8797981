"""Consumers against a real broker and a real PostgreSQL: effects, repeats, dead letters, waiting."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from sqlmodel.ext.asyncio.session import AsyncSession

from messaging import (
    TENANT,
    Broker,
    call_ended,
    effects,
    eventually,
    record_effect,
    running,
)
from messaging_process import process
from otokura.shared.consumer import Consumer, EventContext, Retries, Stalled, Subscription
from otokura.shared.consumer_watchdog import Unassigned, Watchdog
from otokura.shared.database import Database
from otokura.shared.dlq import DeadLetter, list_dead, replay
from otokura.shared.errors import IntegrityError, Poison, Retryable, Unavailable
from otokura.shared.events import CallEnded, CallSettled, Topic
from otokura.shared.kafka import Producer, Record, encode

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]

QUICK = Retries(attempts=3, first=0.01, longest=0.2)


@pytest.fixture
def group() -> str:
    return f"test-{uuid4()}"


@pytest.fixture
async def producer(broker: Broker) -> AsyncIterator[Producer]:
    producer = Producer(broker)
    yield producer
    await producer.stop()


def record_of(event: CallEnded | CallSettled, event_id: UUID | None = None) -> Record:
    return encode(event, event_id or uuid4(), "test", datetime.now(UTC))


async def dead_of(broker: Broker, group: str, records: list[Record]) -> list[DeadLetter]:
    """The group's dead letters among these records; other tests leave theirs in the topic too."""
    ids = {dict(record.headers)["ce_id"].decode() for record in records}
    letters = await list_dead(broker, Topic.CALLS)
    return [letter for letter in letters if letter.group == group and letter.event_id in ids]


@pytest.mark.guarantee("E3")
async def test_a_repeated_event_has_its_effect_once_in_every_handler(
    broker: Broker, group: str, database: Database, producer: Producer
) -> None:
    call_id = uuid4()
    first, second = (record_of(call_ended(call_id, version)) for version in (1, 2))
    other = record_of(
        CallSettled(
            call_id=call_id, tenant_id=TENANT, version=3, outcome="sealed", settled_at=datetime.now(UTC)
        )
    )
    await producer.send(first, first, other, second, first, second)
    subscriptions = [Subscription(CallEnded, record_effect), Subscription(CallEnded, record_effect)]

    async def all_seen() -> bool:
        return len(await effects(database, call_id)) >= 4

    async with running(Consumer(broker, group, database, subscriptions).run()):
        await eventually(all_seen)
    assert await effects(database, call_id) == [1, 1, 2, 2]


@pytest.mark.slow
@pytest.mark.guarantee("E3")
async def test_a_consumer_killed_between_its_commit_and_the_offset_repeats_no_effect(
    broker: Broker, group: str, database: Database, database_url: str, producer: Producer
) -> None:
    call_id = uuid4()
    await producer.send(record_of(call_ended(call_id, 1)))
    options = {"database_url": database_url, "group": group, "call_id": str(call_id)}
    with process("consumer", broker, **options) as child:
        assert await asyncio.to_thread(child.wait, 60) == 9
    assert await effects(database, call_id) == [1]
    await producer.send(record_of(call_ended(call_id, 2)))

    async def second_seen() -> bool:
        return 2 in await effects(database, call_id)

    async with running(Consumer(broker, group, database, [Subscription(CallEnded, record_effect)]).run()):
        await eventually(second_seen)
    assert await effects(database, call_id) == [1, 2]


@pytest.mark.guarantee("E4")
async def test_what_cannot_be_handled_is_dead_lettered_as_it_was_and_can_be_sent_again(
    broker: Broker, group: str, database: Database, producer: Producer
) -> None:
    call_id, broken = uuid4(), True
    errors: dict[int, Exception] = {
        1: Poison("No such tenant."),
        2: Retryable("Not yet."),
        3: ValueError("+81-90-1234-5678"),
        4: IntegrityError("The manifest is not what was announced."),
    }
    attempts: dict[int, list[int]] = {}

    async def handler(session: AsyncSession, event: CallEnded, context: EventContext) -> None:
        if event.call_id != call_id:
            return
        await record_effect(session, event, context)
        attempts.setdefault(event.version, []).append(context.attempt)
        if broken and event.version in errors:
            raise errors[event.version]

    good = [record_of(call_ended(call_id, version)) for version in (1, 2, 3, 4, 5)]
    undecodable = replace(record_of(call_ended(call_id, 6)), value=b"not JSON")
    sent = [*good[:4], undecodable, good[4]]
    await producer.send(*sent)

    async def last_seen() -> bool:
        return 5 in await effects(database, call_id)

    consumer = Consumer(broker, group, database, [Subscription(CallEnded, handler)], retries=QUICK)
    async with running(consumer.run()):
        await eventually(last_seen)
        assert await effects(database, call_id) == [5], "a failed attempt left an effect"
        assert {version: len(tries) for version, tries in attempts.items()} == {1: 1, 2: 3, 3: 3, 4: 1, 5: 1}
        letters = await dead_of(broker, group, sent)
        assert [(letter.error, letter.attempts) for letter in letters] == [
            ("Poison: No such tenant.", 1),
            ("Retryable: Not yet.", 3),
            ("builtins.ValueError", 3),
            ("IntegrityError: The manifest is not what was announced.", 1),
            ("Poison: otokura.call.ended.v1: json_invalid", 1),
        ]
        assert {letter.original_topic for letter in letters} == {"otokura.calls"}
        assert [letter.original_offset - letters[0].original_offset for letter in letters] == [0, 1, 2, 3, 4]
        assert letters[0].event_id == dict(good[0].headers)["ce_id"].decode()

        broken = False
        assert await replay(broker, Topic.CALLS) >= 5

        async def all_seen() -> bool:
            return len(await effects(database, call_id)) == 5 and len(await dead_of(broker, group, sent)) == 1

        await eventually(all_seen)
    assert await effects(database, call_id) == [5, 1, 2, 3, 4]
    assert [letter.error for letter in await dead_of(broker, group, sent)] == [letters[4].error], (
        "it came back"
    )


@pytest.mark.guarantee("E4")
async def test_records_that_are_no_events_hold_nothing_up(
    broker: Broker, group: str, database: Database, producer: Producer
) -> None:
    """Others may write to the topic, with tools that know nothing of our headers."""
    call_id = uuid4()
    headers: list[list[tuple[str, bytes | None]]] = [
        [],
        [("ce_type", None)],
        [("ce_type", b"\xff"), ("ce_id", None)],
        [("ce_type", b"otokura.call.ended.v1"), ("ce_id", b"1")],
    ]
    await producer.send(record_of(call_ended()))
    foreign = AIOKafkaProducer(bootstrap_servers=broker.kafka_bootstrap)
    try:
        await foreign.start()
        for one in headers:
            await foreign.send_and_wait(Topic.CALLS, key=b"foreign", value=None, headers=one)
    finally:
        await foreign.stop()
    await producer.send(record_of(call_ended(call_id)))

    async def seen() -> bool:
        return await effects(database, call_id) == [1]

    async with running(Consumer(broker, group, database, [Subscription(CallEnded, record_effect)]).run()):
        await eventually(seen)


@pytest.mark.guarantee("E5")
async def test_a_dependency_that_is_away_is_waited_for_longer_than_the_poll_interval(
    broker: Broker, group: str, database: Database, producer: Producer, caplog: pytest.LogCaptureFixture
) -> None:
    """The wait is longer than `max_poll_interval`, and the member keeps its place (aiokafka#848)."""
    call_id, away, waits = uuid4(), True, 0

    async def handler(session: AsyncSession, event: CallEnded, context: EventContext) -> None:
        nonlocal waits
        if event.call_id == call_id and away:
            waits += 1
            raise Unavailable("The store is away.")
        await record_effect(session, event, context)

    sent = [record_of(call_ended(call_id, version)) for version in (1, 2, 3)]
    await producer.send(*sent)
    consumer = Consumer(
        broker,
        group,
        database,
        [Subscription(CallEnded, handler)],
        retries=QUICK,
        stall_seconds=3.0,
        max_poll_interval_ms=2_000,
    )

    async def all_seen() -> bool:
        return len(await effects(database, call_id)) == 3

    with caplog.at_level("INFO", logger="aiokafka.consumer.group_coordinator"):
        async with running(consumer.run()):
            await eventually(lambda: waits >= 30)
            joined = caplog.text.count("Joined group")
            assert await effects(database, call_id) == []
            away = False
            await eventually(all_seen)
    assert joined == caplog.text.count("Joined group") == 1
    assert await effects(database, call_id) == [1, 2, 3]
    assert await dead_of(broker, group, sent) == []


@pytest.mark.guarantee("E6")
async def test_a_consumer_that_hangs_in_a_handler_ends(
    broker: Broker, group: str, database: Database, producer: Producer
) -> None:
    async def hang(_session: AsyncSession, _event: CallEnded, _context: EventContext) -> None:
        await asyncio.Event().wait()

    await producer.send(record_of(call_ended()))
    consumer = Consumer(broker, group, database, [Subscription(CallEnded, hang)], stall_seconds=2.0)
    with pytest.raises(Stalled):
        await consumer.run()


class FallenOut:
    """A consumer that lost its group and does not know it: it polls, and has nothing assigned."""

    def assignment(self) -> set[object]:
        return set()


@pytest.mark.guarantee("E6")
async def test_a_consumer_that_fell_out_of_its_group_ends(
    broker: Broker, group: str, producer: Producer
) -> None:
    """aiokafka#1154."""
    await producer.send(record_of(call_ended()))
    watchdog = Watchdog(broker, group, [Topic.CALLS], stall_seconds=1.0)

    async def join_again_and_again() -> None:
        while True:
            with contextlib.suppress(Unassigned):
                await watchdog.run(FallenOut(), {})

    with pytest.raises(Stalled):
        await join_again_and_again()


@pytest.mark.guarantee("E9")
async def test_partitions_that_were_given_to_nobody_are_asked_for_again(
    broker: Broker, group: str, database: Database, producer: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The leader of a group assigns nothing when the broker, just started, does not know the topic yet."""
    properly, times = RoundRobinPartitionAssignor.assign, 0

    def assign(cluster: object, members: dict[str, object]) -> object:
        nonlocal times
        times += 1
        if times > 1:
            return properly(cluster, members)
        return {member: ConsumerProtocolMemberAssignment(0, [], b"") for member in members}

    monkeypatch.setattr(RoundRobinPartitionAssignor, "assign", assign)
    call_id = uuid4()
    await producer.send(record_of(call_ended(call_id, 1)))
    subscriptions = [Subscription(CallEnded, record_effect)]

    async def seen() -> bool:
        return await effects(database, call_id) == [1]

    async with running(Consumer(broker, group, database, subscriptions, stall_seconds=8.0).run()):
        await eventually(seen)
    assert times > 1
