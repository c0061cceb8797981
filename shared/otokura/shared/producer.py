"""A producer that says, record by record, what the broker has acknowledged.

Over aiokafka it adds three things. Batches of one partition go out one at a time, so that what is
acknowledged is always a beginning of what was sent, even when the process dies or the broker refuses one. It
connects at the first send and again after a fatal error, so a service starts and lives while the broker is
away. And a send that is never answered ends (an idempotent aiokafka producer waits for ever).
"""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, cast

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner

from otokura.shared.background import uninterrupted
from otokura.shared.cloudevents import Record
from otokura.shared.errors import Unavailable
from otokura.shared.kafka_settings import KafkaSettings
from otokura.shared.topics import ensure_topics

MAX_RECORD_BYTES = 900_000
"""Below the 1 MiB that brokers accept by default, with room for headers and framing."""
_BATCH_BYTES = 256 * 1024
_REQUEST_TIMEOUT_MS = 10_000
_ACK_TIMEOUT_SECONDS = 30.0
_CLOSE_TIMEOUT_SECONDS = 2.0

log = structlog.stdlib.get_logger(__name__)
_java_partitioner = DefaultPartitioner()


@lru_cache(maxsize=4096)
def _partition_of(key: bytes | None, partitions: tuple[int, ...]) -> int:
    """The partition that the Java client would choose; murmur2 in Python is slow and keys repeat."""
    return cast("int", _java_partitioner(key or b"", partitions, partitions))


class Producer:
    """Sends records with `acks=all`; safe for use by several tasks."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._inner: AIOKafkaProducer | None = None
        self._connecting = asyncio.Lock()
        self._retiring: set[asyncio.Task[None]] = set()
        self._existing: set[str] = set()
        self._stopped = False

    async def send(self, *records: Record) -> None:
        """Sends records and returns when all are acknowledged.

        Raises:
            Unavailable: one or more were not; they may still have arrived.
        """
        if not all(await self.send_all(records)):
            raise Unavailable("The message broker did not acknowledge in time; try again shortly.")

    async def send_all(self, records: Sequence[Record]) -> list[bool]:
        """Sends records, each partition's in the order given.

        Returns:
            For each record, whether it is acknowledged. Within a partition the acknowledged ones come
            first. One that is not acknowledged may still have arrived.
        """
        acknowledged = [False] * len(records)
        try:
            producer = await self._connected()
            await self._ensure({record.topic for record in records})
            groups: dict[tuple[str, int], list[int]] = defaultdict(list)
            for index, record in enumerate(records):
                groups[record.topic, await self._partition(producer, record)].append(index)
        except (KafkaError, Unavailable, OSError, TimeoutError) as error:
            log.warning("kafka.unreachable", error=repr(error))
            return acknowledged
        outcomes = await asyncio.gather(
            *(
                self._send_partition(producer, topic, partition, [records[i] for i in indexes])
                for (topic, partition), indexes in groups.items()
            )
        )
        for indexes, count in zip(groups.values(), outcomes, strict=True):
            for index in indexes[:count]:
                acknowledged[index] = True
        return acknowledged

    async def stop(self) -> None:
        """Closes the connections. Sends under way are not waited for."""
        self._stopped = True
        async with self._connecting:
            if self._inner is not None:
                self._retire(self._inner)
        await asyncio.gather(*self._retiring)

    async def _connected(self) -> AIOKafkaProducer:
        async with self._connecting:
            if self._stopped:
                raise ConnectionError("The producer was stopped.")
            if self._inner is None:
                await uninterrupted(self._connect())
            return cast("AIOKafkaProducer", self._inner)

    async def _ensure(self, topics: set[str]) -> None:
        """Creates topics that do not exist, at their first use: services start in any order."""
        if not topics <= self._existing:
            await uninterrupted(ensure_topics(self._settings, topics))
            self._existing |= topics

    async def _connect(self) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._settings.kafka_bootstrap,
            acks="all",
            enable_idempotence=self._settings.kafka_idempotence,
            linger_ms=0,
            max_batch_size=_BATCH_BYTES,
            request_timeout_ms=_REQUEST_TIMEOUT_MS,
        )
        try:
            async with asyncio.timeout(_ACK_TIMEOUT_SECONDS):
                await producer.start()
        except BaseException:
            await self._close(producer)
            raise
        self._inner = producer

    async def _partition(self, producer: AIOKafkaProducer, record: Record) -> int:
        return _partition_of(record.key, tuple(sorted(await producer.partitions_for(record.topic))))

    async def _send_partition(
        self, producer: AIOKafkaProducer, topic: str, partition: int, records: Sequence[Record]
    ) -> int:
        """Sends one batch after another; returns how many records, from the first, are acknowledged."""
        done = 0
        try:
            while done < len(records):
                batch = producer.create_batch()
                end = done
                while end < len(records) and batch.append(
                    timestamp=None,
                    key=records[end].key,
                    value=records[end].value,
                    headers=records[end].headers,
                ):
                    end += 1
                sent = cast("Future[Any]", await producer.send_batch(batch, topic, partition=partition))
                async with asyncio.timeout(_ACK_TIMEOUT_SECONDS):
                    await sent
                done = end
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("kafka.not_acknowledged", topic=topic, partition=partition, error=repr(error))
            if not getattr(error, "retriable", False):
                self._retire(producer)
        return done

    def _retire(self, producer: AIOKafkaProducer) -> None:
        """Forgets a producer that may never recover; the next send makes a new one."""
        if self._inner is producer:
            self._inner = None
            task = asyncio.create_task(self._close(producer))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)

    async def _close(self, producer: AIOKafkaProducer) -> None:
        """Closes in good order, which waits for what is under way; by force when that takes too long."""
        closing = asyncio.create_task(producer.stop())
        await asyncio.wait({closing}, timeout=_CLOSE_TIMEOUT_SECONDS)
        if not closing.done():
            # Failing what waits is the one way on from here, and aiokafka has no public one.
            accumulator = producer._message_accumulator  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
            accumulator.fail_all(KafkaError("The producer is closing"))
            await asyncio.wait({closing}, timeout=_CLOSE_TIMEOUT_SECONDS)
        error = closing.exception() if closing.done() else TimeoutError()
        if error is not None:
            log.warning("kafka.producer_close_failed", error=repr(error))
