"""The next messages are read while the last ones are written; what was not written is never passed over."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from audit_fixtures import NoBroker
from audit_logs import Scribe, keys_of, message
from otokura.audit import handlers
from otokura.audit.batches import Batch
from otokura.audit.handlers import LogConsumer
from otokura.audit.news import Message
from otokura.audit.progress import Progress
from otokura.audit.taken import Messages
from otokura.shared.database import Database
from otokura.shared.errors import Unavailable
from otokura.shared.events import Topic
from otokura.shared.kafka import KafkaSettings

ONE, OTHER = (TopicPartition(Topic.AUDIT, number) for number in (0, 1))


class Broker:
    """A consumer of two partitions that takes turns between them, a few messages at a time."""

    def __init__(self, held: Mapping[TopicPartition, list[Message]]) -> None:
        self.held = held
        self.positions = dict.fromkeys(held, 0)
        self.committed = dict.fromkeys(held, 0)
        self.sought: list[tuple[TopicPartition, int]] = []
        self._turn = 0

    def assignment(self) -> set[TopicPartition]:
        return set(self.held)

    def paused(self) -> set[TopicPartition]:
        return set()

    def highwater(self, tp: TopicPartition) -> int:
        return len(self.held[tp])

    def last_poll_timestamp(self, _tp: TopicPartition) -> int:
        return int(datetime.now(UTC).timestamp() * 1000)

    async def position(self, tp: TopicPartition) -> int:
        return self.positions[tp]

    async def getmany(self, **_: object) -> Messages:
        await asyncio.sleep(0)
        for _ in self.held:
            self._turn += 1
            tp = (ONE, OTHER)[self._turn % 2]
            found = self.held[tp][self.positions[tp] : self.positions[tp] + 3]
            if found:
                self.positions[tp] += len(found)
                return {tp: found}
        await asyncio.sleep(0.01)
        return {}

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self.sought.append((tp, offset))
        self.positions[tp] = offset

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        self.committed.update(offsets)


class Hearing(Progress):
    """Says what it was told has been heard and was not written."""

    def __init__(self, broker: Broker) -> None:
        super().__init__()
        self.log: Log | None = None
        self.wrong: list[tuple[int, int]] = []
        self._broker = broker

    def _note(self, partition: int, position: int, end: int, now: datetime) -> None:
        held = self._broker.held[TopicPartition(Topic.AUDIT, partition)]
        if self.log is None or not self.log.is_written(held, position):
            self.wrong.append((partition, position))
        super()._note(partition, position, end, now)


class Log(LogConsumer):
    """Writes into a list, and fails when it is told to; meanwhile others run, as they do while it waits."""

    def __init__(self, scribe: Scribe, broker: Broker, failing: set[int]) -> None:
        settings, database = cast("KafkaSettings", NoBroker()), cast("Database", None)
        self.hearing = Hearing(broker)
        super().__init__(settings, database, keys_of(scribe), self.hearing, lambda: None)
        self.hearing.log = self
        self.seqs: list[int] = []
        self.read_ahead = 0
        self._failing = failing
        self._writes = 0
        self._broker = broker

    async def _apply(self, batch: Batch) -> None:
        self._writes += 1
        before = sum(self._broker.positions.values())
        await asyncio.sleep(0.01)
        self.read_ahead += sum(self._broker.positions.values()) > before
        if self._writes in self._failing:
            raise Unavailable("away")
        self.seqs += [item.event.seq for item in batch.prepared]

    def is_written(self, partition: list[Message], offset: int) -> bool:
        """Whether all of a partition before the offset is in the list."""
        return {int(m.key or 0) for m in partition[:offset]} <= set(self.seqs)


def held_by(scribe: Scribe, count: int) -> dict[TopicPartition, list[Message]]:
    """Entries in turns on both partitions; the message's key is the entry's number."""
    held: dict[TopicPartition, list[Message]] = {ONE: [], OTHER: []}
    for number in range(count):
        tp = (ONE, OTHER)[number % 2]
        sent = message(scribe.entry(), len(held[tp]), tp.partition)
        held[tp].append(cast("Message", _keyed(sent, number + 1)))
    return held


def _keyed(sent: Any, key: int) -> Any:
    return type(sent)(**{**{name: getattr(sent, name) for name in FIELDS}, "key": b"%d" % key})


FIELDS = ("topic", "partition", "offset", "timestamp", "timestamp_type", "key", "value", "checksum",
          "serialized_key_size", "serialized_value_size", "headers")  # fmt: skip


async def consumed(scribe: Scribe, broker: Broker, failing: set[int], count: int) -> Log:
    log = Log(scribe, broker, failing)
    polling = asyncio.create_task(log._poll(cast("AIOKafkaConsumer", broker)))
    async with asyncio.timeout(20):
        while len(set(log.seqs)) < count or broker.committed != broker.positions:
            await asyncio.sleep(0.005)
            for tp, offset in broker.committed.items():
                assert log.is_written(broker.held[tp], offset)
    polling.cancel()
    assert not log.hearing.wrong
    return log


@pytest.mark.guarantee("L1")
@pytest.mark.parametrize("failing", [set[int](), {1}, {2}, {1, 2, 3}, {4, 6}])
async def test_nothing_is_passed_over_that_was_not_written(
    failing: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handlers, "_RETRY_SECONDS", 0.01)
    scribe = Scribe()
    broker = Broker(held_by(scribe, 40))
    log = await consumed(scribe, broker, failing, 40)
    assert sorted(log.seqs) == list(range(1, 41))
    assert log.read_ahead
    for numbers in ([s for s in log.seqs if s % 2], [s for s in log.seqs if s % 2 == 0]):
        assert numbers == sorted(numbers)  # each partition in its order
    assert bool(broker.sought) == bool(failing)


async def test_with_nothing_more_to_come_nothing_is_read_ahead() -> None:
    scribe = Scribe()
    broker = Broker(held_by(scribe, 2))
    log = await consumed(scribe, broker, set(), 2)
    assert sorted(log.seqs) == [1, 2]
    assert not log.read_ahead
