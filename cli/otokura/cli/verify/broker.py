"""Checkpoints as the log told them on Kafka (`otokura.audit.checkpoints`), read without a consumer group."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, cast

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from otokura.cli.verify.findings import Code, VerificationError

TOPIC = "otokura.audit.checkpoints"
_AT_ONCE = 2_000
"""Messages of one look; a follower that begins late catches up look by look."""
_SECONDS = 60.0


def checkpoints_since(bootstrap: str, offsets: Mapping[str, int]) -> tuple[list[str], dict[str, int]]:
    """The signed notes of the topic that were not looked at, and where to go on.

    Args:
        bootstrap: host:port of a broker.
        offsets: by partition, the next message; the oldest there is where none is given.

    Raises:
        VerificationError: `unreadable`: the broker does not answer.
    """
    try:
        return asyncio.run(_read(bootstrap, offsets))
    except (KafkaError, OSError, TimeoutError) as error:
        raise VerificationError(Code.UNREADABLE, "kafka", str(error) or type(error).__name__) from error


async def _read(bootstrap: str, offsets: Mapping[str, int]) -> tuple[list[str], dict[str, int]]:
    async with asyncio.timeout(_SECONDS):
        consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, group_id=None)
        try:
            await consumer.start()
            return await _collect(consumer, offsets)
        finally:
            await consumer.stop()


async def _collect(consumer: Any, offsets: Mapping[str, int]) -> tuple[list[str], dict[str, int]]:
    await consumer._client.set_topics([TOPIC])  # noqa: SLF001 - aiokafka knows no other way without subscribing
    numbers = sorted(consumer.partitions_for_topic(TOPIC) or ())
    partitions = [TopicPartition(TOPIC, number) for number in numbers]
    if not partitions:
        return [], dict(offsets)
    consumer.assign(partitions)
    first, end = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
    following = {each: max(first[each], offsets.get(str(each.partition), 0)) for each in partitions}
    for each, at in following.items():
        consumer.seek(each, at)
    notes: list[str] = []
    while len(notes) < _AT_ONCE and any(following[each] < end[each] for each in partitions):
        for each, records in (await consumer.getmany(timeout_ms=1000)).items():
            for record in records:
                notes += _note(record.value)
                following[each] = record.offset + 1
    return notes, {str(each.partition): at for each, at in following.items()}


def _note(value: bytes | None) -> list[str]:
    """The checkpoint in an event; what is no such event says nothing of the log."""
    try:
        told: object = json.loads(value or b"")
    except (ValueError, RecursionError):
        return []
    note = cast("dict[str, Any]", told).get("checkpoint") if isinstance(told, dict) else None
    return [note] if isinstance(note, str) else []
