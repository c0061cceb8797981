"""What one poll of the audit topic gave, and where the consumer stands with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from aiokafka import AIOKafkaConsumer, TopicPartition

from otokura.audit.batches import Batch
from otokura.audit.news import Message

Messages: TypeAlias = Mapping[TopicPartition, Sequence[Message]]


@dataclass(frozen=True, slots=True)
class Taken:
    """What was polled.

    Attributes:
        messages: by partition, never empty for one.
        batch: what was read of them.
        more: whether the broker has more already.
    """

    messages: Messages
    batch: Batch
    more: bool


def has_more(consumer: AIOKafkaConsumer, messages: Messages) -> bool:
    """Whether the broker has told of more than was fetched."""
    ours = consumer.assignment()
    return any(
        part[-1].offset + 1 < (consumer.highwater(tp) or 0) for tp, part in messages.items() if tp in ours
    )


def starts(ahead: Taken | None) -> Mapping[TopicPartition, int]:
    """The first offsets of what was read ahead and is not written yet."""
    return {} if ahead is None else {tp: part[0].offset for tp, part in ahead.messages.items()}


def rewind(consumer: AIOKafkaConsumer, messages: Messages) -> None:
    """Has them polled again, those of partitions that are still ours."""
    assigned = consumer.assignment()
    for tp, batch in messages.items():
        if tp in assigned:
            consumer.seek(tp, batch[0].offset)
