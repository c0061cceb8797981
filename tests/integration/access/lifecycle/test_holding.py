"""A hold and an erasure contend for one row: one wins, and it is known which."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from messaging import eventually
from otokura.access.errors import BeingErased
from otokura.shared.errors import Conflict, NotFound, Unprocessable
from otokura.shared.events import ErasedKind
from otokura.shared.ids import uuid7

from .conftest import Lifecycle

pytestmark = pytest.mark.postgres


@pytest.mark.guarantee("Z1")
async def test_a_held_call_is_not_erased_until_every_hold_is_gone(lifecycle: Lifecycle) -> None:
    call_id = await lifecycle.call()
    first, second = await lifecycle.hold(call_id), await lifecycle.hold(call_id, case_number="R8-1")
    erasure = await lifecycle.ask(call_id)
    assert await lifecycle.work() == 1
    assert (await lifecycle.view(erasure.id)).waiting == 1
    await lifecycle.lift(call_id, first.id)
    assert await lifecycle.work() == 1
    assert await lifecycle.requests() == []
    [item] = await lifecycle.query("SELECT waits_for FROM erasure_items")
    assert item["waits_for"] == "held"
    await lifecycle.lift(call_id, second.id)
    assert await lifecycle.work() == 1
    assert [event.call_id for event in await lifecycle.requests()] == [call_id]
    assert (await lifecycle.view(erasure.id)).erasing == 1


@pytest.mark.guarantee("Z1")
async def test_a_hold_that_ends_by_itself_keeps_the_call_until_then(lifecycle: Lifecycle) -> None:
    call_id = await lifecycle.call()
    ends_at = datetime.now(UTC) + timedelta(seconds=5)
    await lifecycle.hold(call_id, ends_at=ends_at)
    await lifecycle.ask(call_id)
    assert await lifecycle.work() == 1
    assert await lifecycle.requests() == []

    async def looked_again() -> bool:
        return await lifecycle.work() == 1

    await eventually(looked_again)
    assert datetime.now(UTC) >= ends_at
    assert len(await lifecycle.requests()) == 1


@pytest.mark.guarantee("Z1")
@pytest.mark.parametrize("_", range(8))
async def test_of_a_hold_and_an_erasure_at_once_exactly_one_wins(lifecycle: Lifecycle, _: int) -> None:
    calls = [await lifecycle.call() for _ in range(6)]
    await lifecycle.ask(*calls)

    async def hold(call_id: object) -> bool:
        try:
            await lifecycle.hold(call_id)  # type: ignore[arg-type] # an id
        except BeingErased:
            return False
        return True

    # Holds and workers that begin erasures, all at once.
    outcomes = await asyncio.gather(
        *(hold(call_id) for call_id in calls), *(lifecycle.work() for _ in range(3))
    )
    held = {call_id for call_id, won in zip(calls, outcomes[:6], strict=True) if won is True}
    erasing = {event.call_id for event in await lifecycle.requests()}
    assert held | erasing == set(calls)
    assert held & erasing == set()


@pytest.mark.guarantee("Z1")
async def test_what_is_being_erased_cannot_be_held_any_more(lifecycle: Lifecycle) -> None:
    call_id = await lifecycle.call()
    await lifecycle.ask(call_id)
    await lifecycle.work()
    with pytest.raises(BeingErased):
        await lifecycle.hold(call_id)
    assert await lifecycle.query("SELECT id FROM holds") == []


@pytest.mark.guarantee("Z10")
@pytest.mark.parametrize("gone", [[], [ErasedKind.RECORDING], [ErasedKind.RECORDING, ErasedKind.TRANSCRIPT]])
async def test_whoever_holds_a_call_is_told_what_of_it_no_hold_keeps(
    lifecycle: Lifecycle, gone: list[ErasedKind]
) -> None:
    """A recording that is being erased goes on going; what is left is held. The entry says so as well."""
    call_id, other = await lifecycle.call(), await lifecycle.call()
    await lifecycle.erase_kinds(call_id, *gone)
    await lifecycle.work()
    assert sorted(event.kind for event in await lifecycle.requests()) == gone
    hold = await lifecycle.hold(call_id)
    assert hold.erased == gone
    [entry] = await lifecycle.query("SELECT data::json AS data FROM outbox WHERE data LIKE '%hold.set%'")
    assert entry["data"]["detail"]["erased"] == gone
    assert (await lifecycle.hold(other)).erased == []
    await lifecycle.ask(call_id)
    await lifecycle.work()
    assert len(await lifecycle.requests()) == len(gone), "what is left is kept"


async def test_a_hold_is_lifted_once_and_nobody_lifts_one_of_another_call(lifecycle: Lifecycle) -> None:
    call_id, other = await lifecycle.call(), await lifecycle.call()
    hold = await lifecycle.hold(call_id)
    with pytest.raises(NotFound):
        await lifecycle.lift(other, hold.id)
    with pytest.raises(NotFound):
        await lifecycle.lift(call_id, uuid7())
    await lifecycle.lift(call_id, hold.id)
    with pytest.raises(Conflict):
        await lifecycle.lift(call_id, hold.id)
    with pytest.raises(Unprocessable):
        await lifecycle.hold(call_id, ends_at=datetime.now(UTC) - timedelta(days=1))
    entries = await lifecycle.query("SELECT data FROM outbox WHERE kind = 'audit' ORDER BY id")
    assert ["hold.set" in row["data"] for row in entries] == [True, False]
    assert "hold.lifted" in entries[1]["data"]
