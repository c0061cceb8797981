"""What a service wrote to the audit topic, as a test sees it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs to the end, also when the calling thread has an event loop."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


class AuditTopic:
    """The entries on `otokura.audit`; each call reads on from where the last one stopped."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._records: list[dict[str, Any]] = []
        self._offset = 0

    def skip(self) -> None:
        """Leaves out what is there already."""
        self._offset = run(read_topic(self._bootstrap, "otokura.audit", self._offset, skip=True))[1]

    def entries(self, **wanted: str) -> list[dict[str, Any]]:
        """The audit entries on the topic whose members are these, oldest first."""
        records, self._offset = run(read_topic(self._bootstrap, "otokura.audit", self._offset))
        self._records += [record for record in records if "entry_id" in record]
        return [e for e in self._records if all(str(e[name]) == value for name, value in wanted.items())]

    def entry(self, **wanted: str) -> dict[str, Any]:
        """The one entry whose members are these, as soon as it is on the topic."""
        deadline = time.monotonic() + 10
        while not (found := self.entries(**wanted)):
            assert time.monotonic() < deadline, "the entry did not come"
        [entry] = found
        return entry

    def closed(self, entry_id: str) -> dict[str, Any]:
        """The `read.closed` of a `read.opened`, as soon as it is on the topic."""
        deadline = time.monotonic() + 10
        while True:
            found = [e for e in self.entries(action="read.closed") if e["detail"]["opened"] == entry_id]
            if found:
                [entry] = found
                return entry
            assert time.monotonic() < deadline, "the entry did not come"


async def read_topic(
    bootstrap: str, topic: str, offset: int, *, skip: bool = False
) -> tuple[list[dict[str, Any]], int]:
    """The records of a topic's first partition from an offset on, as JSON, and the offset behind them.

    With `skip` only the offset. It comes with the first fetch: not every broker can be asked for it.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=20
    )
    await consumer.start()
    try:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        consumer.seek(partition, offset)
        found: list[dict[str, Any]] = []
        while True:
            records = (await consumer.getmany(partition, timeout_ms=50)).get(partition, [])
            found += [json.loads(record.value) for record in records if record.value]
            end = consumer.highwater(partition)
            offset = await consumer.position(partition)
            if end is not None and (skip or offset >= end):
                return found, end if skip else offset
    finally:
        await consumer.stop()
