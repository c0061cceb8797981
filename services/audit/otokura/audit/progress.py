"""Whether this consumer has heard all there is to hear: without that, silence proves nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from aiokafka import AIOKafkaConsumer, TopicPartition

ANSWER_AGE = timedelta(seconds=5)
"""The broker answers fetches about twice a second; one that has not for so long is away."""


class Progress:
    """Since when each assigned partition has been followed to its end, without a break."""

    def __init__(self) -> None:
        self._since: dict[int, datetime] = {}

    async def observe(self, consumer: AIOKafkaConsumer, now: datetime) -> None:
        """Looks at the consumer after a poll whose messages are committed."""
        self._since = {
            tp.partition: self._since.get(tp.partition, now)
            for tp in consumer.assignment()
            if await _caught_up(consumer, tp, now)
        }

    def lost(self) -> None:
        """Nothing is known any more: the database or the broker went away."""
        self._since = {}

    def current(self) -> Mapping[int, datetime]:
        """The partitions followed to their ends, and since when."""
        return dict(self._since)


async def _caught_up(consumer: AIOKafkaConsumer, tp: TopicPartition, now: datetime) -> bool:
    """Lag by the fetch's high-water mark: not every broker answers ListOffsets(latest) truly."""
    end: int | None = consumer.highwater(tp)
    answered: int | None = consumer.last_poll_timestamp(tp)
    if end is None or answered is None:
        return False
    recent = now - datetime.fromtimestamp(answered / 1000, UTC) < ANSWER_AGE
    return recent and await consumer.position(tp) >= end
