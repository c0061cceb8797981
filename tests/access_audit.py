"""What a service wrote to the audit topic, as a test sees it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Collection, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition

from otokura.shared.fetching import LONGEST_WAIT_MS, SHORTEST_WAIT_MS

T = TypeVar("T")
PATIENCE_SECONDS = 60.0


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs to the end, also when the calling thread has an event loop."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


class AuditTopic:
    """The entries on `otokura.audit`; each call reads on from where the last one stopped.

    Args:
        bootstrap: the broker.
        wait_ms: what a fetch may take. Also how long a look takes when nothing has come since the last.
    """

    def __init__(self, bootstrap: str, wait_ms: int = SHORTEST_WAIT_MS) -> None:
        self._bootstrap = bootstrap
        self._records: list[dict[str, Any]] = []
        self._offset = 0
        self._wait_ms = wait_ms

    def skip(self) -> None:
        """Leaves out what is there already."""
        self._offset = run(self._read(skip=True))[1]

    def entries(self, **wanted: str) -> list[dict[str, Any]]:
        """The audit entries on the topic whose members are these, oldest first."""
        records, self._offset = run(self._read())
        self._records += [record for record in records if "entry_id" in record]
        return [e for e in self._records if all(str(e[name]) == value for name, value in wanted.items())]

    def entry(self, **wanted: str) -> dict[str, Any]:
        """The one entry whose members are these, as soon as it is on the topic."""
        [entry] = self._until(lambda: self.entries(**wanted))
        return entry

    def at_least(self, count: int, **wanted: str) -> list[dict[str, Any]]:
        """The entries whose members are these, as soon as so many are on the topic."""

        def look() -> list[dict[str, Any]]:
            found = self.entries(**wanted)
            return found if len(found) >= count else []

        return self._until(look)

    def closed(self, entry_id: str) -> dict[str, Any]:
        """The `read.closed` of a `read.opened`, as soon as it is on the topic."""

        def look() -> list[dict[str, Any]]:
            return [e for e in self.entries(action="read.closed") if e["detail"]["opened"] == entry_id]

        [entry] = self._until(look)
        return entry

    def of(self, entry_ids: Collection[str]) -> dict[str, dict[str, Any]]:
        """The entries of these ids, as soon as all are on the topic."""

        def look() -> list[dict[str, Any]]:
            found = [e for e in self.entries() if e["entry_id"] in entry_ids]
            return found if len(found) >= len(entry_ids) else []

        return {entry["entry_id"]: entry for entry in self._until(look)}

    def _read(self, *, skip: bool = False) -> Coroutine[Any, Any, tuple[list[dict[str, Any]], int]]:
        return read_topic(self._bootstrap, "otokura.audit", self._offset, skip=skip, wait_ms=self._wait_ms)

    def _until(self, look: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
        """What is looked for, once it is there: each look may take longer (`otokura.shared.fetching`)."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (found := look()):
            assert time.monotonic() < deadline, "the entry did not come"
            self._wait_ms = min(self._wait_ms * 2, LONGEST_WAIT_MS)
        return found


async def read_topic(
    bootstrap: str, topic: str, offset: int, *, skip: bool = False, wait_ms: int = SHORTEST_WAIT_MS
) -> tuple[list[dict[str, Any]], int]:
    """The records of a topic's first partition from an offset on, as JSON, and the offset behind them.

    With `skip` only the offset. It comes with the first fetch: not every broker can be asked for it.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=wait_ms
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
