"""PostgreSQL sequences: every entry once, in one tree, whoever appends and however often."""

from __future__ import annotations

import asyncio

import pytest
from sqlmodel import col, select

from audit_fixtures import YEAR, Log
from audit_logs import Scribe, prepared_entries, tile_levels
from otokura.audit import sequencer
from otokura.audit.leaves import prepare
from otokura.audit.merkle import Node, leaf_hash
from otokura.audit.models import Entry, TileNode
from otokura.audit.sequencer import frontier_of
from otokura.cli.verify.merkle import tree_head
from otokura.shared.errors import IntegrityError

pytestmark = [pytest.mark.postgres, pytest.mark.s3]


async def leaves_of(log: Log) -> list[bytes]:
    async with log.database.session() as session:
        found = await session.exec(select(Entry.leaf).where(Entry.shard == YEAR).order_by(col(Entry.index)))
        return list(found.all())


async def test_entries_get_the_next_indexes_in_their_order(log: Log) -> None:
    first, second = prepared_entries(Scribe(), 300), prepared_entries(Scribe("ingest"), 20)
    assert await log.append(first) == 300
    assert await log.append(second) == 20
    assert await leaves_of(log) == [item.leaf for item in (*first, *second)]


async def test_the_state_of_the_tree_is_that_of_its_leaves(log: Log) -> None:
    for count in (1, 255, 1, 300, 512):
        await log.append(prepared_entries(Scribe(), count))
        hashes = [leaf_hash(leaf) for leaf in await leaves_of(log)]
        shard = await log.shard()
        assert shard.size == len(hashes)
        assert frontier_of(shard).root() == tree_head(hashes)
    async with log.database.session() as session:
        nodes = (await session.exec(select(TileNode).order_by(col(TileNode.index)))).all()
    assert [(node.level, node.hash) for node in nodes] == [(1, hash_) for hash_ in tile_levels(hashes)[1]]
    assert Node(8, len(nodes) - 1) == Node(8, 3)


@pytest.mark.guarantee("L1")
async def test_an_entry_that_comes_again_changes_nothing(log: Log) -> None:
    scribe = Scribe()
    items = prepared_entries(scribe, 5)
    await log.append([*items, *items])
    again = [prepare(item.event) for item in items]
    assert await log.append(again) == 0
    assert await log.append([*again, prepare(scribe.entry())]) == 1
    assert (await leaves_of(log))[:5] == [item.leaf for item in items]
    assert (await log.shard()).size == 6


async def test_an_entry_sent_again_by_a_successor_under_another_number_is_one_entry(log: Log) -> None:
    event = Scribe().entry()
    successor = Scribe()
    repeated = successor.entry().model_copy(update={"entry_id": event.entry_id})
    assert await log.append([prepare(event)]) == 1
    assert await log.append([prepare(repeated)]) == 0


@pytest.mark.guarantee("L1")
async def test_many_appenders_at_once_make_one_tree_without_loss(log: Log) -> None:
    batches = [prepared_entries(Scribe(), 40) for _ in range(8)]
    await asyncio.gather(*(log.append(batch) for batch in [*batches, *batches]))
    leaves = await leaves_of(log)
    assert sorted(leaves) == sorted(item.leaf for batch in batches for item in batch)
    assert frontier_of(await log.shard()).root() == tree_head([leaf_hash(leaf) for leaf in leaves])


async def test_a_transaction_that_fails_leaves_no_trace(log: Log) -> None:
    async def fail_late() -> None:
        async with log.database.session() as session:
            await sequencer.append(session, YEAR, prepared_entries(Scribe(), 3))
            raise RuntimeError("after the append")

    await log.append(prepared_entries(Scribe(), 3))
    with pytest.raises(RuntimeError, match="after the append"):
        await fail_late()
    assert (await log.shard()).size == len(await leaves_of(log)) == 3


async def test_a_new_year_is_a_new_log_and_the_clock_does_not_go_back(log: Log) -> None:
    await log.append(prepared_entries(Scribe(), 2), 2026)
    await log.append(prepared_entries(Scribe(), 3), 2027)
    await log.append(prepared_entries(Scribe(), 4), 2026)
    assert (await log.shard(2026)).size == 2
    assert (await log.shard(2027)).size == 7


async def test_a_damaged_state_is_not_appended_to(log: Log) -> None:
    await log.append(prepared_entries(Scribe(), 3))
    await log.execute("UPDATE log_shards SET size = 4")
    with pytest.raises(IntegrityError, match="2026 is damaged"):
        await log.append(prepared_entries(Scribe(), 1))
