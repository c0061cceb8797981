"""Notices a consumer that is alive and yet consumes nothing (aiokafka#1154).

It asks the broker over connections of its own how far the group has come and how far the partitions go,
because a consumer that has lost its group cannot be asked about itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from otokura.shared.background import uninterrupted
from otokura.shared.consumer_handling import Stalled
from otokura.shared.errors import Unavailable
from otokura.shared.kafka_settings import KafkaSettings
from otokura.shared.metrics import gauge
from otokura.shared.offsets import Standing, partitions_of, standings

_LOOKS_PER_STALL = 6

LAG = gauge("otokura_consumer_lag_count", "Records that wait to be handled.", ("topic", "partition"))

log = structlog.stdlib.get_logger(__name__)


class Waiter(Protocol):
    """Whoever handles a partition's records, and whether it waits for something that is away."""

    @property
    def waiting(self) -> bool:
        """Standing still is no stall while this is true."""
        ...


class Watchdog:
    """Looks at a consumer's progress.

    Args:
        settings: the broker.
        group: the consumer's group.
        topics: what it is subscribed to.
        stall_seconds: how long lag may stand still.

    Attributes:
        alive: whether the consumer polls; set by whoever runs it, for readiness.
    """

    def __init__(
        self, settings: KafkaSettings, group: str, topics: Sequence[str], stall_seconds: float
    ) -> None:
        self._settings = settings
        self._group = group
        self._topics = topics
        self._stall_seconds = stall_seconds
        self._seen: dict[TopicPartition, tuple[int, float]] = {}
        self.alive = False

    async def run(self, consumer: AIOKafkaConsumer, workers: Mapping[TopicPartition, Waiter]) -> None:
        """Looks again and again.

        Raises:
            Stalled: a partition that this consumer is responsible for has lag and stood still too long.
        """
        self._seen.clear()
        while True:
            await asyncio.sleep(self._stall_seconds / _LOOKS_PER_STALL)
            try:
                found = await uninterrupted(self._look(consumer))
            except Unavailable:
                # Nobody moves while the broker is away; the time starts again afterwards.
                self._seen.clear()
                continue
            for partition, standing in found.items():
                LAG.labels(partition.topic, partition.partition).set(standing.lag)
                worker = workers.get(partition)
                self._judge(partition, standing, worker is not None and worker.waiting)

    async def _look(self, consumer: AIOKafkaConsumer) -> dict[TopicPartition, Standing]:
        return await standings(self._settings, self._group, await self._responsible_for(consumer))

    async def _responsible_for(self, consumer: AIOKafkaConsumer) -> list[TopicPartition]:
        """Its assignment; all partitions when it has none, for it may have fallen out of the group."""
        assigned = list(consumer.assignment())
        return assigned or await partitions_of(self._settings, self._topics)

    def _judge(self, partition: TopicPartition, standing: Standing, waiting: bool) -> None:
        now = asyncio.get_running_loop().time()
        offset, since = self._seen.get(partition, (-1, now))
        if waiting or standing.lag == 0 or standing.committed != offset:
            self._seen[partition] = (standing.committed, now)
        elif now - since >= self._stall_seconds:
            raise Stalled(
                f"{self._group} has not moved on {partition.topic}/{partition.partition} from "
                f"{standing.committed} to {standing.end} for {now - since:.0f} s."
            )
