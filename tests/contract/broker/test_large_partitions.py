"""A partition of many batches is read to its end, however little the broker brings in one fetch."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

import servers
from messaging import settings_of
from otokura.shared.fetching import FetchPatience
from otokura.shared.kafka import Producer, Record

RECORDS = 400


@pytest.mark.kafka
async def test_a_fetch_wait_that_is_too_short_for_a_partition_grows(
    kafka_server: servers.KafkaServer,
) -> None:
    """Tansu brings a record at a time, or none, within a millisecond; Kafka does not care."""
    broker, topic = settings_of(kafka_server), f"large-{uuid4()}"
    producer = Producer(broker)
    for number in range(RECORDS):
        await producer.send(Record(topic, b"k", [], str(number).encode()))
    await producer.stop()
    consumer = AIOKafkaConsumer(
        bootstrap_servers=broker.kafka_bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=1
    )
    await consumer.start()
    try:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        consumer.seek(partition, 0)
        patience, found = FetchPatience(consumer), list[bytes]()
        async with asyncio.timeout(300):
            while len(found) < RECORDS:
                records = (await consumer.getmany(timeout_ms=200)).get(partition, [])
                found += [record.value for record in records]
                await patience.look()
    finally:
        await consumer.stop()
    assert found == [str(number).encode() for number in range(RECORDS)]
