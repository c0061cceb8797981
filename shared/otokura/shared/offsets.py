"""Where a consumer group stands, and how far a partition goes.

The end is taken from the high-water mark of a fetch: on Tansu's S3 storage ListOffsets(latest) is wrong.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from otokura.shared.errors import Unavailable
from otokura.shared.kafka_settings import KafkaSettings
from otokura.shared.topics import admin_client

_FETCH_WAIT_MS = 100
_PATIENCE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Standing:
    """A partition as a group sees it: the next offset to handle, and the next that will be written."""

    committed: int
    end: int

    @property
    def lag(self) -> int:
        """Records that are not handled yet."""
        return max(0, self.end - self.committed)


@asynccontextmanager
async def plain_consumer(
    settings: KafkaSettings, group: str | None = None, *, fetch_wait_ms: int = _FETCH_WAIT_MS
) -> AsyncGenerator[AIOKafkaConsumer, None]:
    """A consumer that is assigned partitions by hand.

    Args:
        settings: the broker.
        group: for committing.
        fetch_wait_ms: how long a fetch may take; see `otokura.shared.fetching` for Tansu.

    Raises:
        Unavailable: the broker is away.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=fetch_wait_ms,
    )
    try:
        await consumer.start()
        yield consumer
    except (KafkaError, OSError, TimeoutError) as error:
        raise Unavailable("The message broker cannot be reached; try again shortly.") from error
    finally:
        await consumer.stop()


async def partitions_of(settings: KafkaSettings, topics: Iterable[str]) -> list[TopicPartition]:
    """The partitions of those of the topics that exist."""
    async with admin_client(settings) as admin:
        existing = set(await admin.list_topics())
        wanted = [topic for topic in topics if topic in existing]
        described = await admin.describe_topics(wanted) if wanted else []
    return [
        TopicPartition(topic["topic"], partition["partition"])
        for topic in described
        for partition in topic["partitions"]
    ]


async def committed_offsets(
    settings: KafkaSettings, group: str, partitions: Iterable[TopicPartition]
) -> dict[TopicPartition, int]:
    """The group's committed offsets; 0 where it has committed none."""
    wanted = list(partitions)
    async with admin_client(settings) as admin:
        found = await admin.list_consumer_group_offsets(group, partitions=wanted) if wanted else {}
    return {tp: max(0, found[tp].offset) if tp in found else 0 for tp in wanted}


async def end_offsets(
    consumer: AIOKafkaConsumer, starts: Mapping[TopicPartition, int]
) -> dict[TopicPartition, int]:
    """The ends of partitions, by fetching from the given offsets.

    Leaves the consumer assigned to the partitions, at `starts`.

    Raises:
        Unavailable: the broker does not answer.
    """
    consumer.assign(list(starts))
    for partition, offset in starts.items():
        consumer.seek(partition, offset)
    deadline = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
    while any(consumer.highwater(partition) is None for partition in starts):
        if asyncio.get_running_loop().time() > deadline:
            raise Unavailable("The message broker does not answer; try again shortly.")
        await asyncio.sleep(_FETCH_WAIT_MS / 2000)
    return {partition: cast("int", consumer.highwater(partition)) for partition in starts}


async def standings(
    settings: KafkaSettings, group: str, partitions: Iterable[TopicPartition]
) -> dict[TopicPartition, Standing]:
    """How the group stands on each partition."""
    committed = await committed_offsets(settings, group, partitions)
    if not committed:
        return {}
    async with plain_consumer(settings) as consumer:
        ends = await end_offsets(consumer, committed)
    return {tp: Standing(committed[tp], ends[tp]) for tp in committed}
