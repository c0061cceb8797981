"""What Otokura needs of a broker, run against the one that is configured: Tansu, or Apache Kafka."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import ConsumerRecord, TopicPartition

import servers
from messaging import Broker, key_is, read_topic, settings_of
from otokura.shared.errors import Unavailable
from otokura.shared.kafka import Producer, Record, check_strength, ensure_topics
from otokura.shared.offsets import committed_offsets, partitions_of, plain_consumer, standings

pytestmark = pytest.mark.kafka


@pytest.fixture
def broker(kafka_server: servers.KafkaServer) -> Broker:
    return settings_of(kafka_server, partitions=3)


@pytest.fixture
async def producer(broker: Broker) -> AsyncIterator[Producer]:
    producer = Producer(broker)
    yield producer
    await producer.stop()


@pytest.fixture
def topic() -> str:
    return f"contract-{uuid4()}"


def record(topic: str, key: str, value: bytes) -> Record:
    return Record(topic, key.encode(), [("ce_type", b"t"), ("binary", b"\x00\xff")], value)


async def test_a_record_comes_back_byte_for_byte(broker: Broker, topic: str, producer: Producer) -> None:
    sent = record(topic, "k", bytes(range(256)))
    await producer.send(sent)
    (found,) = await read_topic(broker, topic, key_is("k"), 1)
    assert (found.key, found.value) == (sent.key, sent.value)
    assert list(found.headers) == sent.headers


async def test_a_large_record_fits(broker: Broker, topic: str, producer: Producer) -> None:
    await producer.send(record(topic, "k", b"x" * 900_000))
    (found,) = await read_topic(broker, topic, key_is("k"), 1)
    assert len(found.value) == 900_000


async def test_records_of_one_key_stay_in_one_partition_and_in_order(
    broker: Broker, topic: str, producer: Producer
) -> None:
    keys = [f"key-{number}" for number in range(10)]
    await producer.send(*(record(topic, key, str(n).encode()) for n in range(50) for key in keys))
    for key in keys:
        found = await read_topic(broker, topic, key_is(key), 50)
        assert [int(one.value) for one in found] == [*range(50)]
        assert len({one.partition for one in found}) == 1
    assert len(await partitions_of(broker, [topic])) == 3


async def test_a_topic_that_exists_is_left_alone(broker: Broker, topic: str) -> None:
    await ensure_topics(broker, [topic])
    await ensure_topics(replace(broker, kafka_partitions=1), [topic, topic])
    assert len(await partitions_of(broker, [topic])) == 3


async def test_a_group_continues_where_it_committed(broker: Broker, topic: str, producer: Producer) -> None:
    group, one_partition = str(uuid4()), replace(broker, kafka_partitions=1)
    await ensure_topics(one_partition, [topic])
    await producer.send(*(record(topic, "k", str(n).encode()) for n in range(10)))
    partition = TopicPartition(topic, 0)
    async with plain_consumer(broker, group) as consumer:
        consumer.assign([partition])
        await consumer.commit({partition: 4})
    assert await committed_offsets(broker, group, [partition]) == {partition: 4}
    assert await committed_offsets(broker, str(uuid4()), [partition]) == {partition: 0}
    async with plain_consumer(broker, group) as consumer:
        consumer.assign([partition])
        assert int((await consumer.getone()).value or b"") == 4


async def test_lag_is_known_to_the_last_record(broker: Broker, topic: str, producer: Producer) -> None:
    await ensure_topics(broker, [topic])
    partitions = await partitions_of(broker, [topic])
    assert [s.lag for s in (await standings(broker, "nobody", partitions)).values()] == [0, 0, 0]
    await producer.send(*(record(topic, f"key-{n}", b"v") for n in range(100)))
    found = await standings(broker, "nobody", partitions)
    assert sum(standing.lag for standing in found.values()) == 100


@pytest.mark.slow
async def test_acknowledged_records_survive_kill_9() -> None:
    topic = f"contract-{uuid4()}"
    with servers.kafka(lasting=True) as kafka:
        broker = settings_of(kafka, partitions=3)
        producer = Producer(broker)
        acknowledged: set[bytes] = set()
        for round_ in range(3):
            values = [f"{round_}-{n}".encode() for n in range(200)]
            for start in range(0, 200, 20):
                records = [record(topic, "k", value) for value in values[start : start + 20]]
                for sent, done in zip(records, await producer.send_all(records), strict=True):
                    if done:
                        acknowledged.add(sent.value or b"")
            kafka.kill()
            kafka.start()
        await producer.stop()
        assert len(acknowledged) >= 400
        assert acknowledged <= await read_values(broker, topic, acknowledged)


async def read_values(broker: Broker, topic: str, wanted: set[bytes]) -> set[bytes]:
    """Reads until everything wanted is there; repeats, which a killed broker makes, count once."""
    seen: set[bytes] = set()

    def complete(found: ConsumerRecord[Any, Any]) -> bool:
        seen.add(found.value)
        return wanted <= seen

    await read_topic(broker, topic, complete, 1)
    return seen


async def test_a_broker_that_is_not_there_is_unavailable() -> None:
    nowhere = Broker("127.0.0.1:1")
    producer = Producer(nowhere)
    assert await producer.send_all([record("t", "k", b"v")]) == [False]
    with pytest.raises(Unavailable):
        await producer.send(record("t", "k", b"v"))
    with pytest.raises(Unavailable):
        await ensure_topics(nowhere, ["t"])
    await producer.stop()


async def test_a_weak_topic_is_refused_in_production_and_a_warning_in_development(
    broker: Broker, topic: str
) -> None:
    await ensure_topics(broker, [topic])
    await check_strength(broker, topic)
    with pytest.raises(Unavailable, match="1 replicas"):
        await check_strength(replace(broker, development=False), topic)
