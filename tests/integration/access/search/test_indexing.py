"""Indexing is work that waits in rows: done at least once, and of an erased call never again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from access_calls import Call
from erasures import requested
from feed_workshop import Workshop
from otokura.access.errors import LeaseLost, NotYet
from otokura.access.search import queue, repository
from otokura.access.search.hashes import IndexKey
from otokura.access.search.indexer import Indexer
from otokura.access.search.keys import IndexKeys
from otokura.access.search.queue import Job
from otokura.access.search.worker import IndexWorker
from otokura.access.state import AccessState
from otokura.shared.events import CallStarted, ErasureRequested, KeyWrapped, TranscriptCompleted
from otokura.shared.ids import uuid7
from otokura.shared.keys import KeyUse
from searched_calls import saying

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]
LEASE = timedelta(seconds=60)


def worker_of(state: AccessState) -> IndexWorker:
    return IndexWorker(state.database, Indexer(state), state.settings)


async def work(shop: Workshop) -> int:
    steps = 0
    while await worker_of(shop.state).step():
        steps += 1
    return steps


async def job(shop: Workshop, call: Call) -> dict[str, Any]:
    [row] = await shop.query("SELECT * FROM search_jobs WHERE call_id = :id", id=call.id)
    return row


async def hashes(shop: Workshop, call: Call) -> list[int] | None:
    rows = await shop.query("SELECT hashes FROM search_index WHERE call_id = :id", id=call.id)
    return rows[0]["hashes"] if rows else None


async def leased(shop: Workshop) -> Job:
    async with shop.state.database.session() as session:
        taken = await queue.lease(session, LEASE)
    assert taken is not None
    return taken


def erased(call: Call) -> ErasureRequested:
    return requested(call.id, call.manifest.tenant_id)


async def made(shop: Workshop, tenant_id: UUID, *, quiet: bool = False) -> Call:
    return await shop.call(tenant_id, said=saying("解約したい"), quiet=quiet)


@pytest.mark.guarantee("R46")
async def test_what_has_not_come_yet_is_waited_for(shop: Workshop) -> None:
    call = await made(shop, await shop.tenant(), quiet=True)
    late = (CallStarted, KeyWrapped)
    await shop.apply(*(event for event in call.events if not isinstance(event, late)))
    assert await worker_of(shop.state).step()  # once: a second later it would be tried again
    waiting = await job(shop, call)
    assert (waiting["state"], waiting["failures"], waiting["attempts"]) == ("queued", 0, 1)
    await shop.apply(*(event for event in call.events if isinstance(event, late)))
    assert await work(shop) == 1
    assert (await job(shop, call))["state"] == "done"
    assert await hashes(shop, call)


@pytest.mark.guarantee("R46")
async def test_a_worker_that_dies_costs_time_only(shop: Workshop) -> None:
    call = await made(shop, await shop.tenant())
    dead = await leased(shop)
    assert await work(shop) == 0
    await shop.query("UPDATE search_jobs SET lease_until = now() - interval '1 s'")
    assert await work(shop) == 1
    assert (await job(shop, call))["state"] == "done"
    with pytest.raises(LeaseLost):
        await Indexer(shop.state).carry_out(dead)


@pytest.mark.guarantee("R45")
async def test_who_is_indexing_a_call_does_not_bring_it_back(shop: Workshop) -> None:
    call = await made(shop, await shop.tenant())

    class Late(Indexer):
        """The call is erased when its text is opened, and not yet in the index."""

        async def _made(self, row: Mapping[str, Any], dek: bytes, key: IndexKey) -> tuple[int, list[int]]:
            found = await super()._made(row, dek, key)
            await shop.apply(erased(call))
            return found

    with pytest.raises(LeaseLost):
        await Late(shop.state).carry_out(await leased(shop))
    await shop.apply(*call.events)
    assert await work(shop) == 0
    assert await hashes(shop, call) is None
    assert (await job(shop, call))["state"] == "erased"


@pytest.mark.guarantee("R45")
async def test_a_call_that_is_erased_before_anything_was_known_of_it_is_never_indexed(shop: Workshop) -> None:
    call = await made(shop, await shop.tenant(), quiet=True)
    await shop.apply(erased(call), *call.events)
    assert await work(shop) == 0
    assert await hashes(shop, call) is None


@pytest.mark.guarantee("R46")
async def test_a_version_that_comes_while_another_is_indexed_is_indexed_next(shop: Workshop) -> None:
    call = await made(shop, await shop.tenant())
    held = await leased(shop)
    [first] = [event for event in call.events if isinstance(event, TranscriptCompleted)]
    await shop.query("UPDATE search_jobs SET version = 2 WHERE call_id = :id", id=call.id)
    await Indexer(shop.state).carry_out(held)
    assert ((await job(shop, call))["state"], held.version) == ("queued", first.version)


@pytest.mark.guarantee("R46")
async def test_what_changes_of_a_call_is_indexed_again(shop: Workshop) -> None:
    call = await made(shop, await shop.tenant())
    await work(shop)
    before = await hashes(shop, call)
    [started] = [event for event in call.events if isinstance(event, CallStarted)]
    changed = {"version": 9, "agent_id": "a-9", "purposes": ["quality", "training"]}
    await shop.apply(started.model_copy(update=changed))
    assert await work(shop) == 1
    [row] = await shop.query("SELECT agent_id FROM search_index WHERE call_id = :id", id=call.id)
    assert row["agent_id"] == "a-9"
    after = await hashes(shop, call)
    assert before is not None
    assert after is not None
    assert (set(before) < set(after), len(after) - len(before)) == (True, 1)


@pytest.mark.guarantee("R47")
async def test_an_index_whose_key_is_lost_is_made_anew_with_another(shop: Workshop) -> None:
    tenant = await shop.tenant()
    calls = [await made(shop, tenant) for _ in range(3)]
    other = await made(shop, await shop.tenant())
    await work(shop)
    await shop.apply(erased(calls[2]))
    before, theirs = await hashes(shop, calls[0]), await hashes(shop, other)
    await shop.query(
        "UPDATE search_keys SET wrapped = set_byte(wrapped, 20, 255 - get_byte(wrapped, 20))"
        " WHERE tenant_id = :id",
        id=tenant,
    )
    async with shop.state.database.session() as session:
        await repository.doubt(session, tenant)
    object.__setattr__(shop.state, "index_keys", IndexKeys(shop.state.keys))
    await work(shop)
    await shop.query("UPDATE search_jobs SET not_before = now()")
    await work(shop)
    anew = [await hashes(shop, call) for call in calls]
    assert anew[0] is not None
    assert before is not None
    assert not set(anew[0]) & set(before)
    assert anew[1] == anew[0]
    assert anew[2] is None
    assert await hashes(shop, other) == theirs


@pytest.mark.guarantee("R47")
async def test_an_index_is_not_dropped_because_the_provider_has_no_keys_at_all(shop: Workshop) -> None:
    """As where it is configured wrongly for a while."""
    call = await made(shop, await shop.tenant())
    await work(shop)
    before = await hashes(shop, call)
    await shop.query("UPDATE call_keys SET kek_id = 'another'")
    await shop.query("UPDATE search_keys SET kek_id = 'another'")
    async with shop.state.database.session() as session:
        await repository.doubt(session, call.manifest.tenant_id)
    object.__setattr__(shop.state, "index_keys", IndexKeys(shop.state.keys))
    assert await worker_of(shop.state).step()
    assert await hashes(shop, call) == before
    waiting = await job(shop, call)
    assert (waiting["state"], waiting["failures"]) == ("queued", 1)


@pytest.mark.guarantee("R47")
async def test_nothing_is_put_there_under_a_key_that_is_no_longer_the_tenants(shop: Workshop) -> None:
    call = await made(shop, await shop.tenant())
    stale = IndexKey(call.manifest.tenant_id, uuid7(), b"k" * 32)
    async with shop.state.database.session() as session:
        assert not await repository.put(session, stale, call.id, 1, [1, 2])
    assert await hashes(shop, call) is None


@pytest.mark.guarantee("R40")
async def test_two_workers_that_come_first_agree_on_one_key(shop: Workshop) -> None:
    tenant, one, other = await shop.tenant(), IndexKeys(shop.state.keys), IndexKeys(shop.state.keys)
    async with shop.state.database.session() as session:
        first = await one.obtain(session, tenant, "test")
    async with shop.state.database.session() as session:
        second = await other.obtain(session, tenant, "test")
        found = await one.find(session, tenant, KeyUse.SEARCH, "test")
    assert first == second == found


async def test_a_transcript_that_was_changed_is_given_up_and_says_so(shop: Workshop) -> None:
    call = await made(shop, await shop.tenant())
    name = f"transcripts/{call.manifest.tenant_id}/{call.id}/1"
    content = await shop.store.get("transcripts", name)
    await shop.store.put("transcripts", name, content[:-1] + bytes([content[-1] ^ 1]))
    assert await work(shop) == 1
    ended = await job(shop, call)
    assert ended["state"] == "failed"
    assert "not authentic" in ended["reason"]


async def test_a_call_without_a_key_waits_and_is_not_given_up(shop: Workshop) -> None:
    call = await made(shop, await shop.tenant(), quiet=True)
    await shop.apply(*(event for event in call.events if not isinstance(event, KeyWrapped)))
    held = await leased(shop)
    with pytest.raises(NotYet):
        await Indexer(shop.state).carry_out(held)
