"""Consuming events: at least once, each effect once, nothing lost.

The effect of an event and the note that it was handled are one database transaction; the offset is
committed after it. A repeat finds the note and does nothing. What a handler raises decides what follows:

- `Unavailable` (and a database that is away): wait, without end; its partition stands still meanwhile.
- `Poison`, `IntegrityError`, or a record that is no event: to `<topic>.dlq` at once.
- anything else, `Retryable` among it: again, a bounded number of times, then to `<topic>.dlq`.

Each partition is worked by a task of its own while the poll loop goes on, so that slow work never costs the
membership in the group (aiokafka#848). A watchdog ends a consumer that lags and does not move
(aiokafka#1154). Handlers must tolerate disorder: a replay from the dead letters comes late.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import cast

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import KafkaError

from otokura.shared.background import run_together, uninterrupted
from otokura.shared.cloudevents import KafkaRecord
from otokura.shared.consumer_handling import (
    EventContext,
    RecordHandler,
    Retries,
    Stalled,
    Subscription,
    prune_processed,
)
from otokura.shared.consumer_membership import join_group, leave_group
from otokura.shared.consumer_watchdog import Watchdog
from otokura.shared.database import Database
from otokura.shared.errors import Unavailable
from otokura.shared.fetching import SHORTEST_WAIT_MS, FetchPatience
from otokura.shared.kafka_settings import KafkaSettings
from otokura.shared.partition_worker import PartitionWorker
from otokura.shared.producer import Producer
from otokura.shared.topics import dead_letter_topic, ensure_topics

__all__ = ["Consumer", "EventContext", "Retries", "Stalled", "Subscription"]

POLL_MS = 500
MAX_POLL_RECORDS = 500
METADATA_MS = 10_000
"""How old a consumer's idea of its topics may be. A broker that has just started may not know a topic yet:
the group's leader then gives its partitions to nobody until it looks again, by default after five minutes."""
_RESTART_SECONDS = 1.0
_STOP_SECONDS = 5.0
_PRUNE_SECONDS = 3600.0

log = structlog.stdlib.get_logger(__name__)


class Consumer:
    """Consumes for one service.

    Args:
        settings: the broker.
        group: `otokura-<service>`.
        database: the service's.
        subscriptions: what is handled; several for one type run in order, in one transaction.
        retries: how often and how long a failing handler is tried again.
        stall_seconds: after how long without progress a lagging consumer counts as stalled.
        max_poll_interval_ms: after how long without a poll the member leaves its group.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        group: str,
        database: Database,
        subscriptions: Sequence[Subscription],
        *,
        retries: Retries | None = None,
        stall_seconds: float = 120.0,
        max_poll_interval_ms: int = 300_000,
    ) -> None:
        self._settings = settings
        self._group = group
        self._database = database
        self._topics = sorted({str(subscription.model.TOPIC) for subscription in subscriptions})
        self._all_topics = [*self._topics, *map(dead_letter_topic, self._topics)]
        self._max_poll_interval_ms = max_poll_interval_ms
        self._producer = Producer(settings)
        self._handler = RecordHandler(database, self._producer, group, subscriptions, retries or Retries())
        self._watchdog = Watchdog(settings, group, self._topics, stall_seconds)
        self._workers: dict[TopicPartition, PartitionWorker] = {}

    async def run(self) -> None:
        """Consumes until it is cancelled. A broker or database that is away is waited for.

        Raises:
            Stalled: there is lag and nothing moves; only a new process helps.
        """
        try:
            while True:
                try:
                    await uninterrupted(ensure_topics(self._settings, self._all_topics))
                    await self._consume()
                except (KafkaError, Unavailable, OSError) as error:
                    log.warning("consumer.interrupted", group=self._group, error=repr(error))
                await asyncio.sleep(_RESTART_SECONDS)
        finally:
            await self._producer.stop()

    async def check(self) -> None:
        """Readiness.

        Raises:
            Unavailable: the consumer does not poll, as while the broker is away at the start.
        """
        if not self._watchdog.alive:
            raise Unavailable("The consumer has not reached the message broker.")

    async def _consume(self) -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._settings.kafka_bootstrap,
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            fetch_max_wait_ms=SHORTEST_WAIT_MS,
            max_poll_records=MAX_POLL_RECORDS,
            max_poll_interval_ms=self._max_poll_interval_ms,
            metadata_max_age_ms=METADATA_MS,
        )
        consumer.subscribe(self._topics, listener=_Listener(self))
        try:
            await join_group(consumer)
            await run_together(
                self._poll(consumer), self._watchdog.run(consumer, self._workers), self._housekeep()
            )
        finally:
            self._watchdog.alive = False
            await self.release()
            await leave_group(consumer)

    async def _poll(self, consumer: AIOKafkaConsumer) -> None:
        patience = FetchPatience(consumer)
        while True:
            batches = cast(
                "dict[TopicPartition, list[KafkaRecord]]", await consumer.getmany(timeout_ms=POLL_MS)
            )
            self._watchdog.alive = True
            for partition, records in batches.items():
                worker = self._workers.get(partition)
                if worker is None:
                    worker = self._workers[partition] = PartitionWorker(consumer, partition, self._handler)
                worker.add(records)
            for worker in self._workers.values():
                worker.raise_if_crashed()
            await patience.look()

    async def release(self) -> None:
        """Stops all work, and commits what is done as far as that is still possible."""
        workers = [self._workers.pop(partition) for partition in list(self._workers)]
        await asyncio.gather(*(worker.stop(_STOP_SECONDS) for worker in workers))

    async def _housekeep(self) -> None:
        while True:
            try:
                await prune_processed(self._database)
            except Unavailable as error:
                log.info("consumer.prune_postponed", error=str(error))
            await asyncio.sleep(_PRUNE_SECONDS)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka is untyped
    """A rebalance takes every partition away and gives them anew.

    Holds no lock that the poll loop takes: aiokafka's documentation warns of the deadlock.
    """

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer

    async def on_partitions_revoked(  # pyright: ignore[reportIncompatibleMethodOverride] - may be async
        self,
        revoked: Sequence[TopicPartition],  # noqa: ARG002 - all are given back
    ) -> None:
        await self._consumer.release()

    async def on_partitions_assigned(  # pyright: ignore[reportIncompatibleMethodOverride] - may be async
        self, assigned: Sequence[TopicPartition]
    ) -> None:
        by_topic: dict[str, list[int]] = defaultdict(list)
        for partition in assigned:
            by_topic[partition.topic].append(partition.partition)
        log.info("consumer.assigned", partitions=dict(by_topic))
