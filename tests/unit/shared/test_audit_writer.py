"""`AuditWriter` against a broker that fails as it is told to: numbers, order, and what callers are told."""

from __future__ import annotations

import asyncio
import json
import random
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from messaging import eventually
from otokura.shared.audit import Action, AuditDraft, AuditWriter, canonical, verify_signature
from otokura.shared.audit_entries import instant
from otokura.shared.audit_events import AuditHeartbeat, AuditRecorded
from otokura.shared.errors import Unavailable
from scripted_broker import DRAFT, KEY, ScriptedBroker, assert_no_hole, opened


async def test_a_source_opens_counts_and_closes() -> None:
    broker = ScriptedBroker()
    async with opened(broker) as writer:
        entry_id = await writer.write(DRAFT)
    entries = broker.entries()
    assert [(entry.seq, entry.action) for entry in entries] == [
        (1, "source.opened"),
        (2, "read.opened"),
        (3, "source.closed"),
    ]
    assert entries[1].entry_id == entry_id
    assert {entry.source for entry in entries} == {writer.source}
    assert writer.source.startswith("access/")
    last = broker.heartbeats()[-1]
    assert (last.last_seq, last.closed) == (3, True)


@pytest.mark.guarantee("E7")
@pytest.mark.parametrize("seed", range(5))
async def test_numbers_have_no_hole_and_keep_their_order_whatever_the_broker_does(seed: int) -> None:
    """At any moment the log holds 1…n: a process that is killed then leaves no hole either."""
    broker = ScriptedBroker()
    chance = random.Random(seed)

    def unreliable(count: int) -> tuple[int, int]:
        arrived = chance.randint(0, count)
        assert_no_hole(broker)
        return arrived, chance.randint(0, arrived)

    acknowledged: list[UUID] = []

    async def write() -> None:
        for _ in range(20):
            try:
                acknowledged.append(await writer.write(DRAFT, timeout=chance.choice([0.001, 5.0])))
            except Unavailable:
                continue

    async with opened(broker, heartbeat_seconds=0.01, retry_seconds=0.001) as writer:
        broker.outcome = unreliable
        await asyncio.gather(*(write() for _ in range(8)))
    assert_no_hole(broker)
    entries = broker.entries()
    assert {entry.seq for entry in entries} == set(range(1, 8 * 20 + 3))
    assert set(acknowledged) <= {entry.entry_id for entry in entries}
    assert broker.heartbeats()[-1].last_seq == entries[-1].seq


@pytest.mark.guarantee("E8")
async def test_no_write_succeeds_before_its_acknowledgement() -> None:
    broker = ScriptedBroker()
    async with opened(broker) as writer:
        broker.outcome = lambda count: (count, 0)
        with pytest.raises(Unavailable):
            await writer.write(DRAFT, timeout=0.05)
        waiting = asyncio.create_task(writer.write(DRAFT))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        broker.outcome = lambda count: (count, count)
        await waiting
        assert broker.entries()[-1].entry_id == waiting.result()


async def test_an_entry_whose_caller_gave_up_is_still_sent_before_later_ones() -> None:
    broker = ScriptedBroker()
    async with opened(broker) as writer:
        broker.outcome = lambda _: (0, 0)
        given_up = uuid4()
        with pytest.raises(Unavailable):
            await writer.write(DRAFT, entry_id=given_up, timeout=0.01)
        broker.outcome = lambda count: (count, count)
        later = await writer.write(DRAFT)
        assert [entry.entry_id for entry in broker.entries()][-2:] == [given_up, later]


async def test_a_repeated_write_of_a_waiting_entry_gets_no_second_number() -> None:
    broker = ScriptedBroker()
    async with opened(broker) as writer:
        broker.outcome = lambda _: (0, 0)
        entry_id = uuid4()
        for _ in range(3):
            with pytest.raises(Unavailable):
                await writer.write(DRAFT, entry_id=entry_id, timeout=0.01)
        broker.outcome = lambda count: (count, count)
        assert await writer.write(DRAFT, entry_id=entry_id) == entry_id
    assert [entry.entry_id for entry in broker.entries()].count(entry_id) == 1


async def test_a_full_queue_refuses_without_taking_a_number() -> None:
    broker = ScriptedBroker()
    async with opened(broker, max_queue=3) as writer:
        await eventually(lambda: len(broker.entries()) == 1)
        broker.outcome = lambda _: (0, 0)
        attempts = await asyncio.gather(
            *(writer.write(DRAFT, timeout=0.05) for _ in range(10)), return_exceptions=True
        )
        assert all(isinstance(attempt, Unavailable) for attempt in attempts)
    assert [entry.seq for entry in broker.entries()] == [1, 2, 3, 4, 5]


@pytest.mark.guarantee("L1")
@pytest.mark.parametrize(
    "draft",
    [
        {"detail": {"n": 2**60}},
        {"detail": {"long": "x" * 1_000_000}},
        {"detail": {"reason": ["a", {"b": "x\0"}]}},
        {"detail": {"a\0": 1}},
        {"reader": "yama\0da"},
        {"reader": "y" * 257},
    ],
    ids=["number", "size", "zero", "zero in a name", "zero in the reader", "reader"],
)
async def test_a_draft_that_cannot_be_an_entry_takes_no_number(draft: dict[str, Any]) -> None:
    """The log would refuse it when it has been acknowledged, and what it tells of has been read."""
    broker = ScriptedBroker()
    async with opened(broker) as writer:
        with pytest.raises(ValueError):  # noqa: PT011 - each its own message
            await writer.write(AuditDraft(action=Action.READ_OPENED, **draft))
        await writer.write(DRAFT)
    assert [entry.seq for entry in broker.entries()] == [1, 2, 3]


async def test_a_cancelled_caller_does_not_disturb_the_others() -> None:
    broker = ScriptedBroker()
    async with opened(broker) as writer:
        broker.outcome = lambda _: (0, 0)
        entry_id = uuid4()
        first, second = (asyncio.create_task(writer.write(DRAFT, entry_id=entry_id)) for _ in range(2))
        await asyncio.sleep(0.01)
        first.cancel()
        broker.outcome = lambda count: (count, count)
        assert await second == entry_id


async def test_heartbeats_say_the_last_number_and_do_not_pile_up_while_the_broker_is_away() -> None:
    broker = ScriptedBroker()
    async with opened(broker, heartbeat_seconds=0.01) as writer:
        await eventually(lambda: len(broker.heartbeats()) >= 2)
        broker.outcome = lambda _: (0, 0)
        before = len(broker.heartbeats())
        await asyncio.sleep(0.2)
        await eventually(lambda: is_unavailable(writer))
        broker.outcome = lambda count: (count, count)
        await writer.write(DRAFT)
        assert len(broker.heartbeats()) - before <= 3
    assert not is_open(writer)


def is_unavailable(writer: AuditWriter) -> Any:
    async def asked() -> bool:
        try:
            await writer.check()
        except Unavailable:
            return True
        return False

    return asked()


def is_open(writer: AuditWriter) -> bool:
    return writer._open


async def test_a_closed_source_refuses() -> None:
    writer = AuditWriter(ScriptedBroker(), "access", KEY)
    with pytest.raises(Unavailable):
        await writer.write(DRAFT)
    await writer.start()
    await writer.stop()
    with pytest.raises(Unavailable):
        await writer.write(DRAFT)


async def test_what_is_sent_verifies_and_any_change_does_not() -> None:
    broker = ScriptedBroker()
    async with opened(broker) as writer:
        await writer.write(
            AuditDraft(
                action=Action.READ_OPENED,
                tenant_id=uuid4(),
                reader="日本",
                call_id=uuid4(),
                detail={"ü": [1, 2.5, None, True], "nested": {"b": "\n", "a": uuid4()}},
            )
        )
    entry = broker.entries()[1]
    public = KEY.public_key()
    assert verify_signature(entry, public)
    assert all(verify_signature(heartbeat, public) for heartbeat in broker.heartbeats())
    assert not verify_signature(entry, Ed25519PrivateKey.generate().public_key())
    changes: dict[str, Any] = {
        "entry_id": uuid4(),
        "source": "access/other",
        "seq": 3,
        "time": datetime(2026, 4, 1, tzinfo=UTC),
        "tenant_id": None,
        "action": "read.closed",
        "reader": "日本 ",
        "call_id": None,
        "detail": {**entry.detail, "x": 1},
    }
    assert set(changes) == set(AuditRecorded.model_fields) - {"signature"}
    for name, value in changes.items():
        assert not verify_signature(entry.model_copy(update={name: value}), public), name


@given(st.datetimes(timezones=st.just(UTC)))
def test_the_time_that_is_signed_is_the_time_that_is_parsed(at: datetime) -> None:
    heartbeat = AuditHeartbeat(source="s", last_seq=0, time=at, signature=b"")
    assert json.loads(canonical(heartbeat))["time"] == instant(at)
