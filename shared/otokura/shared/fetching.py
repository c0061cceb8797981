"""How long a fetch may take, found out while consuming.

To Kafka `fetch.max.wait` is how long to wait when there is nothing; what is there comes at once. Tansu, the
broker of one machine, keeps an object for each batch and spends that time on listing a partition's objects
and reading them: a wait that is too short for a partition's size brings little or nothing, for ever, and
one that is too long delays what is new. So the wait grows while a consumer stays behind, and shrinks again.
"""

from __future__ import annotations

import asyncio

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError

SHORTEST_WAIT_MS = 100
LONGEST_WAIT_MS = 3_200
"""Below the age at which the log takes an unanswered fetch for a broker that is away."""
BEHIND_SECONDS = 2.0
"""Behind the end for so long without a break: the wait doubles."""
LEVEL_SECONDS = 60.0
"""At the end for so long without a break: the wait halves."""

log = structlog.stdlib.get_logger(__name__)


class FetchPatience:
    """Adjusts a consumer's fetches.

    Args:
        consumer: made with `fetch_max_wait_ms=SHORTEST_WAIT_MS`.
    """

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self.wait_ms = SHORTEST_WAIT_MS
        self._consumer = consumer
        self._behind: dict[TopicPartition, float] = {}
        self._level_since: float | None = None

    async def look(self) -> None:
        """Looks where the consumer stands; call it after each poll."""
        now = asyncio.get_running_loop().time()
        behind = await self._partitions_behind()
        self._behind = {partition: self._behind.get(partition, now) for partition in behind}
        if behind:
            self._level_since = None
            if now - min(self._behind.values()) >= max(BEHIND_SECONDS, 2 * self.wait_ms / 1000):
                self._behind.clear()
                self._set(min(self.wait_ms * 2, LONGEST_WAIT_MS))
        elif self._level_since is None:
            self._level_since = now
        elif now - self._level_since >= LEVEL_SECONDS:
            self._level_since = now
            self._set(max(self.wait_ms // 2, SHORTEST_WAIT_MS))

    async def _partitions_behind(self) -> list[TopicPartition]:
        """Those whose end is known and not reached, but for those that are not fetched just now."""
        # All ends first: a rebalance may come with any await, and aiokafka asserts that what it is asked
        # about is assigned.
        fetched = self._consumer.assignment() - self._consumer.paused()
        ends = {partition: self._consumer.highwater(partition) for partition in fetched}
        found: list[TopicPartition] = []
        try:
            for partition, end in ends.items():
                if end is not None and await self._consumer.position(partition) < end:
                    found.append(partition)
        except IllegalStateError:
            return []  # taken away meanwhile
        return found

    def _set(self, wait_ms: int) -> None:
        if wait_ms == self.wait_ms:
            return
        log.info("consumer.fetch_wait_changed", before_ms=self.wait_ms, after_ms=wait_ms)
        self.wait_ms = wait_ms
        # aiokafka reads it anew for each fetch and has no public way to set it.
        fetcher = self._consumer._fetcher  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
        if fetcher is not None:
            fetcher._fetch_max_wait_ms = wait_ms  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
