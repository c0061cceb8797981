"""What has been heard is known under steady traffic too, and only while it is true."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from otokura.audit.progress import ANSWER_AGE, FOLLOWING, Heard, Progress

PARTITION = TopicPartition("otokura.audit", 0)
BEGAN = datetime(2026, 4, 1, 9, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


class Standing:
    """Where a consumer stands, as aiokafka tells it."""

    def __init__(self) -> None:
        self.assigned = {PARTITION}
        self.at = 0
        self.end: int | None = 0
        self.answered: datetime | None = None

    def assignment(self) -> set[TopicPartition]:
        return self.assigned

    def highwater(self, _: TopicPartition) -> int | None:
        return self.end

    def last_poll_timestamp(self, _: TopicPartition) -> int | None:
        return None if self.answered is None else round(self.answered.timestamp() * 1000)

    async def position(self, _: TopicPartition) -> int:
        return self.at


class Listening:
    """A progress that observes a consumer second after second."""

    def __init__(self) -> None:
        self.progress = Progress()
        self.consumer = Standing()

    async def observe(self, seconds: float, position: int, end: int | None, *, answers: bool = True) -> None:
        self.consumer.at, self.consumer.end = position, end
        if answers:
            self.consumer.answered = at(seconds)
        await self.progress.observe(cast("AIOKafkaConsumer", self.consumer), at(seconds))

    @property
    def heard(self) -> Heard | None:
        return self.progress.current().get(0)


@pytest.fixture
def listening() -> Listening:
    return Listening()


async def test_at_the_end_everything_was_heard_until_now(listening: Listening) -> None:
    await listening.observe(0, 5, 5)
    await listening.observe(1, 6, 6)
    assert listening.heard == Heard(at(0), at(1))


async def test_under_steady_traffic_everything_was_heard_until_a_little_ago(listening: Listening) -> None:
    """Never at the end, and always past what was the end two seconds before."""
    for second in range(60):
        await listening.observe(second, 10 * second, 10 * second + 15)
    assert listening.heard is not None
    assert listening.heard.since == at(0)
    assert at(56) <= listening.heard.until < at(59)


async def test_with_a_backlog_nothing_is_known(listening: Listening) -> None:
    for second in range(120):
        await listening.observe(second, 10 * second, 10_000 + 10 * second)
    assert listening.heard is None


async def test_how_far_behind_it_is_is_known_while_the_broker_answers(listening: Listening) -> None:
    assert listening.progress.lag() is None
    await listening.observe(0, 5, 45)
    assert listening.progress.lag() == 40
    await listening.observe(1, 45, 45)
    assert listening.progress.lag() == 0
    listening.progress.lost()
    assert listening.progress.lag() is None


async def test_falling_behind_is_a_break(listening: Listening) -> None:
    await listening.observe(0, 5, 5)
    span = FOLLOWING.total_seconds()
    await listening.observe(span, 6, 1000)
    assert listening.heard == Heard(at(0), at(0))
    await listening.observe(span + 1, 7, 1000)
    assert listening.heard is None
    await listening.observe(span + 2, 1000, 1000)
    assert listening.heard == Heard(at(span + 2), at(span + 2))


async def test_a_broker_that_does_not_answer_is_a_break(listening: Listening) -> None:
    await listening.observe(0, 5, 5)
    await listening.observe(ANSWER_AGE.total_seconds(), 5, 5, answers=False)
    assert listening.heard is None


@pytest.mark.parametrize("why", ["another replica has it", "not fetched yet", "told so"])
async def test_what_is_not_followed_is_not_known(listening: Listening, why: str) -> None:
    await listening.observe(0, 5, 5)
    if why == "told so":
        listening.progress.lost()
    else:
        listening.consumer.assigned = {PARTITION} if why == "not fetched yet" else set()
        await listening.observe(1, 5, None if why == "not fetched yet" else 5)
    assert listening.heard is None


async def test_a_consumer_follows_while_all_of_its_partitions_are_heard_to_their_ends() -> None:
    listening = Listening()
    assert not listening.progress.follows(at(0)), "nothing is known yet"
    await listening.observe(0, position=5, end=9)
    assert not listening.progress.follows(at(0)), "a backlog"
    await listening.observe(1, position=9, end=9)
    assert listening.progress.follows(at(1))
    assert not listening.progress.follows(at(2) + FOLLOWING), "nobody has looked since"
    listening.consumer.assigned.add(TopicPartition("otokura.audit", 1))
    await listening.observe(2, position=9, end=None)
    assert not listening.progress.follows(at(2)), "of one partition nothing is known"
    await listening.observe(3, position=9, end=9)
    assert listening.progress.follows(at(3))
    listening.progress.lost()
    assert not listening.progress.follows(at(3))
