"""Works through the records of one partition, in order, beside the poll loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from otokura.shared.cloudevents import KafkaRecord
from otokura.shared.consumer_handling import RecordHandler

MAX_PENDING_RECORDS = 1_000
MAX_PENDING_BYTES = 8 << 20
_COMMIT_EVERY = 100

log = structlog.stdlib.get_logger(__name__)


class PartitionWorker:
    """One task per assigned partition; it pauses its partition while too much waits.

    Attributes:
        waiting: something that is away is being waited for, so standing still is no fault.
    """

    def __init__(self, consumer: AIOKafkaConsumer, partition: TopicPartition, handler: RecordHandler) -> None:
        self._consumer = consumer
        self._partition = partition
        self._handler = handler
        self._pending: deque[KafkaRecord] = deque()
        self._pending_bytes = 0
        self._arrived = asyncio.Event()
        self._next: int | None = None
        self._committed: int | None = None
        self._paused = False
        self.waiting = False
        self._task = asyncio.create_task(self._work(), name=f"{partition.topic}-{partition.partition}")

    def add(self, records: Sequence[KafkaRecord]) -> None:
        """Takes records that follow those it has."""
        self._pending.extend(records)
        self._pending_bytes += sum(map(_size, records))
        self._arrived.set()
        if len(self._pending) > MAX_PENDING_RECORDS or self._pending_bytes > MAX_PENDING_BYTES:
            self._consumer.pause(self._partition)
            self._paused = True

    def raise_if_crashed(self) -> None:
        """Raises what ended the task: a fault of this code, for handlers' errors are dealt with."""
        if self._task.done():
            self._task.result()

    async def stop(self, timeout: float) -> None:  # noqa: ASYNC109 - bounds the commit, not the caller
        """Drops what was not begun, rolls back what was, and commits what is done."""
        self._task.cancel()
        await asyncio.wait({self._task})
        try:
            async with asyncio.timeout(timeout):
                await self._commit()
        except TimeoutError:
            log.warning("consumer.commit_left_out", topic=self._partition.topic, offset=self._next)

    async def _work(self) -> None:
        uncommitted = 0
        while True:
            while not self._pending:
                await self._commit()
                uncommitted = 0
                self._arrived.clear()
                if not self._pending:
                    await self._arrived.wait()
            record = self._pending[0]
            await self._handler.handle(record, self._set_waiting)
            self._pending.popleft()
            self._pending_bytes -= _size(record)
            self._next = record.offset + 1
            self._resume()
            uncommitted += 1
            if uncommitted >= _COMMIT_EVERY:
                await self._commit()
                uncommitted = 0

    def _set_waiting(self, waiting: bool) -> None:
        self.waiting = waiting

    def _resume(self) -> None:
        if (
            self._paused
            and len(self._pending) < MAX_PENDING_RECORDS // 2
            and self._pending_bytes < MAX_PENDING_BYTES // 2
        ):
            self._consumer.resume(self._partition)
            self._paused = False

    async def _commit(self) -> None:
        """Commits what is done. A failure costs a repeat, which the notes of handled events absorb."""
        if self._next is None or self._next == self._committed:
            return
        done = self._next
        try:
            await self._consumer.commit({self._partition: done})
        except (KafkaError, IllegalStateError) as error:
            log.info("consumer.commit_failed", topic=self._partition.topic, error=repr(error))
        else:
            self._committed = done


def _size(record: KafkaRecord) -> int:
    return len(record.value or b"") + len(record.key or b"")
