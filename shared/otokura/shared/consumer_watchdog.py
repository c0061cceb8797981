"""Notices a consumer that is alive and yet consumes nothing (aiokafka#1154), or a partition that nobody has.

It asks the broker over connections of its own how far the group has come and how far the partitions go,
because a consumer that has lost its group cannot be asked about itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from otokura.shared.background import uninterrupted
from otokura.shared.consumer_handling import Stalled
from otokura.shared.errors import Unavailable
from otokura.shared.kafka_settings import KafkaSettings
from otokura.shared.metrics import gauge
from otokura.shared.offsets import Standing, partitions_of, standings

_LOOKS_PER_STALL = 12
_REJOINS_PER_STALL = 4
"""A partition of nobody's is given up on so much sooner than one of ours: to join again costs little."""

LAG = gauge("otokura_consumer_lag_count", "Records that wait to be handled.", ("topic", "partition"))

log = structlog.stdlib.get_logger(__name__)


class Unassigned(KafkaError):  # type: ignore[misc] # noqa: N818 - untyped; a state, as `Stalled`
    """A partition that is not ours has lag and does not move: the group must divide its partitions anew.

    A broker that has just started may not know a topic yet, or count a dead member among the living; what is
    assigned then is wrong and stays so.
    """


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
        self._rejoin_seconds = stall_seconds / _REJOINS_PER_STALL
        self.alive = False

    async def run(self, consumer: AIOKafkaConsumer, workers: Mapping[TopicPartition, Waiter]) -> None:
        """Looks again and again.

        Raises:
            Stalled: a partition that this consumer is responsible for has lag and stood still too long.
            Unassigned: one that it is not responsible for did; each time in a row it takes twice as long.
        """
        self._seen.clear()
        while True:
            await asyncio.sleep(self._stall_seconds / _LOOKS_PER_STALL)
            try:
                found = await uninterrupted(self._look())
            except Unavailable:
                # Nobody moves while the broker is away; the time starts again afterwards.
                self._seen.clear()
                continue
            ours = consumer.assignment()
            for partition, standing in found.items():
                worker = workers.get(partition)
                still = self._still_for(partition, standing, worker is not None and worker.waiting)
                if partition in ours:
                    LAG.labels(partition.topic, partition.partition).set(standing.lag)
                if still >= self._stall_seconds and (partition in ours or not ours):
                    raise Stalled(self._told(partition, standing, still))
                if still >= self._rejoin_seconds and partition not in ours:
                    self._rejoin_seconds *= 2
                    raise Unassigned(self._told(partition, standing, still))

    async def _look(self) -> dict[TopicPartition, Standing]:
        partitions = await partitions_of(self._settings, self._topics)
        return await standings(self._settings, self._group, partitions)

    def _still_for(self, partition: TopicPartition, standing: Standing, waiting: bool) -> float:
        """Seconds for which it has had lag and not moved."""
        now = asyncio.get_running_loop().time()
        offset, since = self._seen.get(partition, (-1, now))
        if waiting or standing.lag == 0 or standing.committed != offset:
            if offset >= 0 and standing.committed != offset:
                self._rejoin_seconds = self._stall_seconds / _REJOINS_PER_STALL
            self._seen[partition] = (standing.committed, now)
            return 0.0
        return now - since

    def _told(self, partition: TopicPartition, standing: Standing, still: float) -> str:
        where = f"{partition.topic}/{partition.partition} from {standing.committed} to {standing.end}"
        return f"{self._group} has not moved on {where} for {still:.0f} s."
