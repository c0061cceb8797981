"""The dead letters: what waits in `<topic>.dlq`, and sending it again to where it came from.

"Waits" means: after the offsets that the group `otokura-dlq` has committed. A replay commits as it goes; a
letter that cannot be handled again comes back as a new one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import cast

from aiokafka import AIOKafkaConsumer, TopicPartition

from otokura.shared.cloudevents import KafkaRecord, Record
from otokura.shared.dead_letters import HEADER
from otokura.shared.fetching import LONGEST_WAIT_MS
from otokura.shared.kafka_settings import KafkaSettings
from otokura.shared.offsets import partitions_of, plain_consumer, standings
from otokura.shared.producer import Producer
from otokura.shared.topics import DLQ_SUFFIX, admin_client, dead_letter_topic

GROUP = "otokura-dlq"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that could not be handled. `partition` and `offset` are those in the dead-letter topic.

    The original ones are -1 where there were none: a job that was given up was no record.
    """

    partition: int
    offset: int
    event_id: str | None
    type: str | None
    original_topic: str
    original_partition: int
    original_offset: int
    group: str
    error: str
    attempts: int
    time: str


async def list_dead(
    settings: KafkaSettings, topic: str | None = None, *, limit: int = 1000
) -> list[DeadLetter]:
    """The letters that wait, of one topic or of all.

    Args:
        settings: the broker.
        topic: the original topic, without `.dlq`.
        limit: at most so many.

    Raises:
        Unavailable: the broker is away.
    """
    letters: list[DeadLetter] = []
    async with plain_consumer(settings, fetch_wait_ms=LONGEST_WAIT_MS) as consumer:
        async for record in _waiting(settings, consumer, await _topics(settings, topic)):
            letters.append(_letter(record))
            if len(letters) >= limit:
                break
    return letters


async def replay(settings: KafkaSettings, topic: str, *, limit: int | None = None) -> int:
    """Sends the waiting letters of a topic to it again, oldest first within each partition.

    Groups that have handled an event pass it over; the one that could not gets it again. A replay that is
    interrupted repeats at most the last letter.

    Returns:
        How many were sent.

    Raises:
        Unavailable: the broker is away; what was sent so far is committed.
    """
    sent = 0
    producer = Producer(settings)
    try:
        async with plain_consumer(settings, GROUP, fetch_wait_ms=LONGEST_WAIT_MS) as consumer:
            async for record in _waiting(settings, consumer, [dead_letter_topic(topic)]):
                if limit is not None and sent >= limit:
                    break
                await producer.send(_original(record))
                await consumer.commit({TopicPartition(record.topic, record.partition): record.offset + 1})
                sent += 1
    finally:
        await producer.stop()
    return sent


async def _topics(settings: KafkaSettings, topic: str | None) -> list[str]:
    if topic is not None:
        return [dead_letter_topic(topic)]
    async with admin_client(settings) as admin:
        return sorted(name for name in await admin.list_topics() if name.endswith(DLQ_SUFFIX))


async def _waiting(
    settings: KafkaSettings, consumer: AIOKafkaConsumer, topics: Iterable[str]
) -> AsyncIterator[KafkaRecord]:
    """Records from the committed offsets to the end as it is now."""
    found = await standings(settings, GROUP, await partitions_of(settings, topics))
    ends = {partition: standing.end for partition, standing in found.items()}
    left = {partition for partition, standing in found.items() if standing.lag}
    if not left:
        return
    consumer.assign(list(left))
    for partition in left:
        consumer.seek(partition, found[partition].committed)
    while left:
        batches = cast(
            "dict[TopicPartition, list[KafkaRecord]]", await consumer.getmany(*left, timeout_ms=500)
        )
        for partition, records in batches.items():
            for record in records:
                if record.offset < ends[partition]:
                    yield record
        left = {partition for partition in left if await consumer.position(partition) < ends[partition]}


def _headers(record: KafkaRecord) -> dict[str, str]:
    received = cast("Iterable[tuple[str, bytes | None]]", record.headers)
    return {name: (value or b"").decode("utf-8", "replace") for name, value in received}


def _letter(record: KafkaRecord) -> DeadLetter:
    headers = _headers(record)
    return DeadLetter(
        record.partition,
        record.offset,
        headers.get("ce_id"),
        headers.get("ce_type"),
        headers[HEADER + "topic"],
        int(headers[HEADER + "partition"]),
        int(headers[HEADER + "offset"]),
        headers[HEADER + "group"],
        headers[HEADER + "error"],
        int(headers[HEADER + "attempts"]),
        headers[HEADER + "time"],
    )


def _original(record: KafkaRecord) -> Record:
    own = [(name, value) for name, value in record.headers if not name.startswith(HEADER)]
    return Record(_headers(record)[HEADER + "topic"], record.key, own, record.value)
