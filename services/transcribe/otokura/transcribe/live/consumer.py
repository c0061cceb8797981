"""Reads `otokura.live` in a group of its own.

The offset that is committed is that of the oldest audio that is not final text: whoever takes a partition
over hears again what was not said for good, and nothing else. Nothing is dead-lettered: what cannot be used
is passed over, because it would be old before anybody looked at it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import IllegalStateError, KafkaError

from otokura.shared.background import run_together, uninterrupted
from otokura.shared.cloudevents import KafkaRecord, decode, read_type
from otokura.shared.consumer import METADATA_MS
from otokura.shared.consumer_handling import Stalled
from otokura.shared.consumer_membership import join_group, leave_group
from otokura.shared.consumer_watchdog import Watchdog
from otokura.shared.errors import Poison, Unavailable
from otokura.shared.events import LiveChunk, Topic
from otokura.shared.fetching import SHORTEST_WAIT_MS, FetchPatience
from otokura.shared.kafka import ensure_topics
from otokura.shared.kafka_settings import KafkaSettings
from otokura.shared.logs import get_logger
from otokura.transcribe import instruments
from otokura.transcribe.live.worker import LiveWorker

log = get_logger(__name__)

GROUP = "otokura-transcribe-live"
_POLL_MS = 200
_COMMIT_SECONDS = 2.0
_RESTART_SECONDS = 1.0
_STOP_SECONDS = 5.0
_STALL_SECONDS = 120.0


class LiveConsumer:
    """Feeds a worker with the chunks of the partitions that the group gives to this process."""

    def __init__(self, settings: KafkaSettings, worker: LiveWorker) -> None:
        self._settings = settings
        self._worker = worker
        self._next: dict[TopicPartition, int] = {}
        self._committed: dict[TopicPartition, int] = {}

    async def run(self) -> None:
        """Reads until it is cancelled; a broker that is away is waited for."""
        while True:
            try:
                await uninterrupted(ensure_topics(self._settings, [Topic.LIVE]))
                await self._consume()
            except (KafkaError, Unavailable, OSError, Stalled) as error:
                log.warning("live text: consumer interrupted", error=repr(error))
            await asyncio.sleep(_RESTART_SECONDS)

    async def _consume(self) -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._settings.kafka_bootstrap,
            group_id=GROUP,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=SHORTEST_WAIT_MS,
            metadata_max_age_ms=METADATA_MS,
        )
        consumer.subscribe([str(Topic.LIVE)], listener=_Listener(self, consumer))
        watchdog = Watchdog(self._settings, GROUP, [str(Topic.LIVE)], _STALL_SECONDS)
        try:
            await join_group(consumer)
            await run_together(self._poll(consumer), self._commit_often(consumer), watchdog.run(consumer, {}))
        finally:
            await self.release(consumer)
            await leave_group(consumer)

    async def _poll(self, consumer: AIOKafkaConsumer) -> None:
        patience = FetchPatience(consumer)
        while True:
            batches = cast(
                "dict[TopicPartition, list[KafkaRecord]]", await consumer.getmany(timeout_ms=_POLL_MS)
            )
            for partition, records in batches.items():
                for record in records:
                    self._take(partition, record)
                self._next[partition] = records[-1].offset + 1
            await patience.look()

    def _take(self, partition: TopicPartition, record: KafkaRecord) -> None:
        if read_type(record.headers) != LiveChunk.TYPE:
            return
        try:
            chunk = decode(record).parse(LiveChunk)
        except Poison as error:
            instruments.LIVE_CHUNKS.labels("refused").inc()
            log.warning("live text: not a chunk", offset=record.offset, error=error)
            return
        self._worker.take(partition.partition, record.offset, chunk)

    async def _commit_often(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            await asyncio.sleep(_COMMIT_SECONDS)
            await self._commit(consumer)

    async def _commit(self, consumer: AIOKafkaConsumer) -> None:
        """Commits how far a successor need not go back. A failure costs it some audio heard twice."""
        offsets: dict[TopicPartition, int] = {}
        for partition, following in self._next.items():
            low = self._worker.low_water(partition.partition)
            offsets[partition] = following if low is None else low
        changed = {tp: offset for tp, offset in offsets.items() if self._committed.get(tp) != offset}
        if not changed:
            return
        try:
            await consumer.commit(changed)
        except (KafkaError, IllegalStateError) as error:
            log.info("live text: commit failed", error=repr(error))
        else:
            self._committed |= changed

    async def release(self, consumer: AIOKafkaConsumer) -> None:
        """Gives all partitions up."""
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await self._commit(consumer)
        except TimeoutError:
            log.info("live text: commit left out")
        self._worker.drop()
        self._next.clear()
        self._committed.clear()


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka is untyped
    """A rebalance takes every partition away and gives them anew."""

    def __init__(self, live: LiveConsumer, consumer: AIOKafkaConsumer) -> None:
        self._live = live
        self._consumer = consumer

    async def on_partitions_revoked(  # pyright: ignore[reportIncompatibleMethodOverride] - may be async
        self,
        revoked: Sequence[TopicPartition],  # noqa: ARG002 - all are given back
    ) -> None:
        await self._live.release(self._consumer)

    async def on_partitions_assigned(  # pyright: ignore[reportIncompatibleMethodOverride] - may be async
        self, assigned: Sequence[TopicPartition]
    ) -> None:
        log.info("live text: assigned", partitions=[partition.partition for partition in assigned])
