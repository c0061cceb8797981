"""Until when this consumer has heard all there was to hear: without that, silence proves nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError

ANSWER_AGE = timedelta(seconds=5)
"""The broker answers fetches every few seconds at least; one that has not for so long is away."""

FOLLOWING = timedelta(seconds=15)
"""A consumer that reaches what was the end so long ago follows; one that takes longer has a backlog."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A stretch of time without a break: whatever was sent in it has been heard."""

    since: datetime
    until: datetime


class Progress:
    """How each assigned partition is followed.

    Under steady traffic a consumer may never stand at the very end. So an end is noted together with the
    time; once it is reached, everything until that time has been heard.
    """

    def __init__(self) -> None:
        self._heard: dict[int, Heard] = {}
        self._ends: dict[int, tuple[datetime, int]] = {}
        self._behind: dict[int, int] = {}
        self._known = False

    async def observe(
        self, consumer: AIOKafkaConsumer, now: datetime, ahead: Mapping[TopicPartition, int] | None = None
    ) -> None:
        """Looks at the consumer after a poll whose messages are committed.

        Args:
            consumer: which polls.
            now: when.
            ahead: by partition, the first offset of what was polled and is not committed yet.
        """
        # All ends first: a rebalance may come with any await, and aiokafka asserts that what it is asked is
        # assigned.
        ends = {tp: _known_end(consumer, tp, now) for tp in consumer.assignment()}
        known = {tp: end for tp, end in ends.items() if end is not None}
        self._known = len(known) == len(ends)
        for lost in (self._heard.keys() | self._ends.keys()) - {tp.partition for tp in known}:
            self._forget(lost)
        for tp, end in known.items():
            try:
                position = min(await consumer.position(tp), (ahead or {}).get(tp, end))
            except IllegalStateError:
                self._forget(tp.partition)
            else:
                self._note(tp.partition, position, end, now)

    def lost(self) -> None:
        """Nothing is known any more: the database or the broker went away."""
        self._heard.clear()
        self._ends.clear()
        self._behind.clear()
        self._known = False

    def current(self) -> Mapping[int, Heard]:
        """What was heard of the partitions that are being followed."""
        return dict(self._heard)

    def follows(self, now: datetime) -> bool:
        """Whether all that was sent to this replica's partitions until a moment ago has been heard."""
        untils = [heard.until for heard in self._heard.values()]
        heard_all = self._known and self._heard.keys() == self._behind.keys()
        return heard_all and bool(untils) and now - min(untils) <= FOLLOWING

    def lag(self) -> int | None:
        """Messages that are not consumed yet, of all partitions of this replica; None when nobody knows."""
        return sum(self._behind.values()) if self._behind else None

    def _note(self, partition: int, position: int, end: int, now: datetime) -> None:
        self._behind[partition] = max(0, end - position)
        noted, reached = self._ends.setdefault(partition, (now, end))
        until = now if position >= end else noted if position >= reached else None
        if until is not None:
            self._ends[partition] = (now, end)
            before = self._heard.get(partition)
            self._heard[partition] = Heard(before.since if before else until, until)
        heard = self._heard.get(partition)
        if heard is not None and now - heard.until > FOLLOWING:
            del self._heard[partition]

    def _forget(self, partition: int) -> None:
        self._heard.pop(partition, None)
        self._ends.pop(partition, None)
        self._behind.pop(partition, None)


def _known_end(consumer: AIOKafkaConsumer, tp: TopicPartition, now: datetime) -> int | None:
    """The fetch's high-water mark, while the broker answers: not every one answers ListOffsets truly."""
    end: int | None = consumer.highwater(tp)
    answered: int | None = consumer.last_poll_timestamp(tp)
    if end is None or answered is None:
        return None
    return end if now - datetime.fromtimestamp(answered / 1000, UTC) < ANSWER_AGE else None
