"""A fetch is given more time while a consumer stays behind, and less once it keeps up."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError

from otokura.shared.fetching import LONGEST_WAIT_MS, SHORTEST_WAIT_MS, FetchPatience

ONE, OTHER = TopicPartition("t", 0), TopicPartition("t", 1)


class Standing:
    """What `FetchPatience` sees of a consumer: where it stands on two partitions."""

    def __init__(self) -> None:
        self.positions = {ONE: 0, OTHER: 0}
        self.ends: dict[TopicPartition, int | None] = {ONE: 0, OTHER: 0}
        self.pauses: set[TopicPartition] = set()
        self.rebalances = False
        self._fetcher = SimpleNamespace(_fetch_max_wait_ms=SHORTEST_WAIT_MS)

    def assignment(self) -> set[TopicPartition]:
        return set(self.positions)

    def paused(self) -> set[TopicPartition]:
        return self.pauses

    def highwater(self, partition: TopicPartition) -> int | None:
        assert partition in self.positions, "Partition is not assigned"
        return self.ends[partition]

    async def position(self, partition: TopicPartition) -> int:
        if self.rebalances:
            self.positions.clear()
        if partition not in self.positions:
            raise IllegalStateError(partition)
        return self.positions[partition]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Time that passes when the test says so."""
    found = SimpleNamespace(now=1000.0)
    loop: Any = SimpleNamespace(time=lambda: found.now)
    monkeypatch.setattr("otokura.shared.fetching.asyncio", SimpleNamespace(get_running_loop=lambda: loop))
    return found


def patience_of(consumer: Standing) -> FetchPatience:
    return FetchPatience(cast("AIOKafkaConsumer", consumer))


async def pass_time(clock: SimpleNamespace, patience: FetchPatience, seconds: int) -> None:
    for _ in range(seconds * 2):
        await patience.look()
        clock.now += 0.5


async def test_a_consumer_that_stays_behind_gives_each_fetch_more_time(clock: SimpleNamespace) -> None:
    consumer = Standing()
    consumer.ends[ONE] = 10
    patience = patience_of(consumer)
    await pass_time(clock, patience, 2)
    assert patience.wait_ms == SHORTEST_WAIT_MS
    await pass_time(clock, patience, 1)
    assert patience.wait_ms == 2 * SHORTEST_WAIT_MS
    await pass_time(clock, patience, 300)
    assert patience.wait_ms == LONGEST_WAIT_MS
    assert consumer._fetcher._fetch_max_wait_ms == LONGEST_WAIT_MS


async def test_a_consumer_that_catches_up_in_between_is_left_alone(clock: SimpleNamespace) -> None:
    consumer = Standing()
    patience = patience_of(consumer)
    for _ in range(30):
        consumer.ends[ONE] = consumer.positions[ONE] + 5
        await pass_time(clock, patience, 1)
        consumer.positions[ONE] += 5
        await pass_time(clock, patience, 1)
    assert patience.wait_ms == SHORTEST_WAIT_MS


async def test_one_partition_that_moves_does_not_hide_one_that_starves(clock: SimpleNamespace) -> None:
    consumer = Standing()
    consumer.ends |= {ONE: 10, OTHER: 10}
    patience = patience_of(consumer)
    for _ in range(4):
        consumer.positions[OTHER] = 10
        await pass_time(clock, patience, 1)
        consumer.ends[OTHER] = 20
    assert patience.wait_ms > SHORTEST_WAIT_MS


async def test_the_time_shrinks_once_the_consumer_keeps_up(clock: SimpleNamespace) -> None:
    consumer = Standing()
    consumer.ends[ONE] = 10
    patience = patience_of(consumer)
    await pass_time(clock, patience, 60)
    consumer.positions[ONE] = 10
    await pass_time(clock, patience, 61)
    assert patience.wait_ms == LONGEST_WAIT_MS // 2
    await pass_time(clock, patience, 600)
    assert patience.wait_ms == SHORTEST_WAIT_MS
    assert consumer._fetcher._fetch_max_wait_ms == SHORTEST_WAIT_MS


@pytest.mark.parametrize("why", ["paused", "end unknown", "taken away"])
async def test_what_is_not_fetched_is_not_behind(clock: SimpleNamespace, why: str) -> None:
    """A partition that is paused, that was not fetched yet, or that the group took away in the middle."""
    consumer = Standing()
    consumer.ends[ONE] = None if why == "end unknown" else 10
    consumer.pauses = {ONE} if why == "paused" else set()
    consumer.rebalances = why == "taken away"
    patience = patience_of(consumer)
    await pass_time(clock, patience, 60)
    assert patience.wait_ms == SHORTEST_WAIT_MS
