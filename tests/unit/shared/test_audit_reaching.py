"""Whoever writes nothing and waits for the log all the same: `AuditWriter.reach`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import uuid4

import pytest

from otokura.shared.errors import Unavailable
from otokura.shared.kafka import Record
from scripted_broker import DRAFT, ScriptedBroker, assert_no_hole, opened


@pytest.mark.guarantee("E8")
async def test_who_reaches_for_the_log_waits_for_it_and_for_all_before_and_writes_nothing() -> None:
    broker = ScriptedBroker()
    async with opened(broker) as writer:
        broker.outcome = lambda _: (0, 0)
        with pytest.raises(Unavailable):
            await writer.reach(timeout=0.05)
        entry_id = uuid4()
        with pytest.raises(Unavailable):
            await writer.write(DRAFT, entry_id=entry_id, timeout=0.05)
        assert writer.holds(entry_id)
        broker.outcome = lambda count: (count, count)
        await writer.reach()
        assert not writer.holds(entry_id)
        assert [entry.entry_id for entry in broker.entries()[1:]] == [entry_id]
    assert [entry.seq for entry in broker.entries()] == [1, 2, 3]
    assert_no_hole(broker)


async def test_many_who_reach_for_the_log_share_a_heartbeat_and_fill_no_queue() -> None:
    broker = ScriptedBroker()
    async with opened(broker, max_queue=3) as writer:
        await asyncio.gather(*(writer.reach() for _ in range(100)))
        assert len(broker.heartbeats()) <= 2
        broker.outcome = lambda _: (0, 0)
        tries = [writer.reach(timeout=0.05) for _ in range(100)]
        assert {type(one) for one in await asyncio.gather(*tries, return_exceptions=True)} == {Unavailable}
        assert len(writer._queue) <= 2


class HeldBroker(ScriptedBroker):
    """One whose acknowledgements can be held back."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []
        self.begun, self.let_go = asyncio.Event(), asyncio.Event()
        self.let_go.set()

    async def send_all(self, records: Sequence[Record]) -> list[bool]:
        self.batches.append(len(records))
        self.begun.set()
        await self.let_go.wait()
        return await super().send_all(records)


async def test_who_reaches_for_the_log_never_joins_what_is_under_way() -> None:
    """Or it would be answered sooner than who writes an entry at that moment."""
    broker = HeldBroker()
    async with opened(broker) as writer:
        await writer.reach()
        broker.begun.clear()
        broker.let_go.clear()
        first = asyncio.create_task(writer.reach())
        await broker.begun.wait()
        others = asyncio.gather(writer.reach(), writer.reach(), writer.write(DRAFT))
        await asyncio.sleep(0)
        broker.let_go.set()
        await asyncio.gather(first, others)
        assert broker.batches[-2:] == [1, 2]


async def test_a_log_that_is_closed_or_full_is_not_reached() -> None:
    broker = ScriptedBroker()
    async with opened(broker, max_queue=1, retry_seconds=0.01) as writer:
        broker.outcome = lambda _: (0, 0)
        with pytest.raises(Unavailable):
            await writer.write(DRAFT, timeout=0.01)
        for attempt in (writer.reach(), writer.write(DRAFT)):
            with pytest.raises(Unavailable, match="Too many"):
                await attempt
    with pytest.raises(Unavailable, match="stopping"):
        await writer.reach()
