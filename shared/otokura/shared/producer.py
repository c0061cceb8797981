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
                self._inner = await self._connect()
            return self._inner

    async def _ensure(self, topics: set[str]) -> None:
        """Creates topics that do not exist, at their first use: services start in any order."""
        if not topics <= self._existing:
            await ensure_topics(self._settings, topics)
            self._existing |= topics

    async def _connect(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._settings.kafka_bootstrap,
            acks="all",
            enable_idempotence=self._settings.kafka_idempotence,
            linger_ms=0,
            max_batch_size=_BATCH_BYTES,
            request_timeout_ms=_REQUEST_TIMEOUT_MS,
        )
        try:
            await asyncio.wait_for(producer.start(), _ACK_TIMEOUT_SECONDS)
        except BaseException:
            await self._close(producer)
            raise
        return producer

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
                await asyncio.wait_for(sent, _ACK_TIMEOUT_SECONDS)
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
        # stop() waits for whatever was not sent, for ever when the producer is idempotent and the broker
        # away. Failing those batches is the one way to a clean stop, and aiokafka has no public one.
        accumulator = producer._message_accumulator  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
        accumulator.fail_all(KafkaError("The producer is closing"))
        try:
            await asyncio.wait_for(producer.stop(), _CLOSE_TIMEOUT_SECONDS)
        except Exception:
            log.warning("kafka.producer_close_failed", exc_info=True)
