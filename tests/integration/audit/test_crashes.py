"""A process of audit is ended, or stopped for a while, at each of its writes in turn; the log stays whole.

The writes are counted where they leave the process: each transaction, each object put or removed, each offset
given back to the broker. `kill -9` comes once just before and once just after each takes effect.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

import servers
from audit_fixtures import ORIGIN, Log, NoBroker
from audit_logs import Scribe, keys_of, message
from mortal import Killed, Life, MortalDatabase, MortalStore
from otokura.audit import sequencer
from otokura.audit.handlers import LogConsumer
from otokura.audit.news import Message
from otokura.audit.openings import opener
from otokura.audit.progress import Progress
from otokura.audit.publisher import Publisher
from otokura.audit.shelf import Shelf
from otokura.cli.verify import verify_log
from otokura.shared.audit_entries import Action

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.slow, pytest.mark.usefixtures("hour")]

STEPS = (3, 257, 260)
"""Messages that have come at each step: a partial tile, with the log's own first entry; it is filled and the
next begins; that one grows."""


@dataclass
class Process:
    """One process of audit, without its broker."""

    life: Life
    consumer: LogConsumer
    publisher: Publisher
    shelf: Shelf
    database: MortalDatabase


@dataclass
class World:
    """What outlives the processes: servers, messages, and how far the group of consumers has come."""

    log: Log
    url: str
    where: servers.ObjectStoreSettings
    scribe: Scribe
    year: int
    before: int | None
    messages: list[Message]
    offset: int = 0

    @classmethod
    async def begin(cls, log: Log, url: str, where: servers.ObjectStoreSettings, year: int) -> World:
        """A log of a year of its own, after the one before it, which its first entry names."""
        ((before,),) = await log.rows("SELECT max(shard) FROM log_shards")
        async with log.database.session() as session:
            await sequencer.open_shard(session, year)
        scribe = Scribe()
        messages = [message(scribe.entry(), at) for at in range(STEPS[-1])]
        return cls(log, url, where, scribe, year, before, messages)

    @asynccontextmanager
    async def process(self, life: Life) -> AsyncIterator[Process]:
        """A process begins, and ends with the block."""
        database, store = MortalDatabase(self.url, pool_size=2), MortalStore(*_store_arguments(self.where))
        database.life = store.life = life
        shelf = Shelf(store, self.log.bucket, timedelta(days=1))
        consumer = LogConsumer(
            NoBroker(),
            database,
            keys_of(self.scribe),
            Progress(),
            lambda: None,
            opening=opener(ORIGIN, self.log.key),
        )
        publisher = Publisher(database, shelf, self.log.signer, 0.01)
        try:
            yield Process(life, consumer, publisher, shelf, database)
        finally:
            await store.close()
            await database.close()

    async def work(self, process: Process) -> None:
        """What a process does: takes messages, gives back the offset, publishes."""
        await process.shelf.open()
        while self.offset < len(self.messages):
            stop = next((step for step in STEPS if step > self.offset), len(self.messages))
            await process.consumer.apply(self.messages[self.offset : stop])

            async def give_back(offset: int = stop) -> None:
                self.offset = max(self.offset, offset)

            await process.life.write("offset", give_back)
            await _publish(process.publisher)
        await _publish(process.publisher)

    async def judge(self, folder: Path, checkpoints: Sequence[str]) -> None:
        """Nothing is lost or doubled, and nothing contradicts a checkpoint that anybody could have seen."""
        rows = await self.log.rows(
            "SELECT action, seq FROM entries WHERE shard = :year ORDER BY index", year=self.year
        )
        assert rows[0] == (Action.SHARD_OPENED, 1)
        written = [(Action.READ_OPENED, at + 1) for at in range(len(self.messages))]
        assert rows[1:] == written
        before = None
        if self.before is not None:
            before = await self.log.download(folder / str(self.before), self.before)
        report = verify_log(
            await self.log.download(folder / str(self.year), self.year),
            self.log.signer(self.year).vkey,
            pinned=checkpoints,
            before=before,
        )
        assert report.ok, report.findings
        assert report.entries == len(rows)
        assert report.pinned == len(checkpoints) + 1  # and that of the first entry's receipt
        assert await self.log.alerts() == []


def _store_arguments(where: servers.ObjectStoreSettings) -> tuple[str, str, str]:
    return where.endpoint, where.access_key, where.secret_key


async def _publish(publisher: Publisher) -> None:
    while await publisher.publish_all():
        pass


async def writes_of(world: World) -> list[str]:
    """What a process that is spared writes."""
    life = Life()
    async with world.process(life) as process:
        await world.work(process)
    return life.writes


def _named(number: int, what: str) -> str:
    """A folder that tells in a failed assertion where it happened."""
    return f"{number}-{what.replace('/', '_')}"


def kinds(writes: Sequence[str]) -> set[str]:
    """What sorts of write there are among them."""
    return {" ".join([write.split()[0], *write.split("/")[1:2]]) for write in writes}


@pytest.mark.guarantee("L14")
@pytest.mark.parametrize("taking_effect", [False, True], ids=["just before", "just after"])
async def test_killed_at_any_write_nothing_is_lost_doubled_or_contradicted(
    log: Log,
    database_url: str,
    object_store: servers.ObjectStoreSettings,
    tmp_path: Path,
    taking_effect: bool,
) -> None:
    first = await World.begin(log, database_url, object_store, 3000)
    writes = await writes_of(first)
    await first.judge(tmp_path / "spared", [])
    assert kinds(writes) == {
        "commit",
        "offset",
        "put tile",
        "put checkpoint",
        "put checkpoints",
        "put opening",
        "delete tile",
    }
    for number, what in enumerate(writes):
        world = await World.begin(log, database_url, object_store, 3001 + number)
        life = Life(number)
        life.after, life.before = (life.die, None) if taking_effect else (None, life.die)
        async with world.process(life) as process:
            with pytest.raises(Killed):
                await world.work(process)
        successor = Life()
        async with world.process(successor) as process:
            await world.work(process)
        await world.judge(tmp_path / _named(number, what), [*life.checkpoints, *successor.checkpoints])


@pytest.mark.guarantee("L5")
@pytest.mark.guarantee("L14")
async def test_stopped_at_any_write_it_wakes_with_an_old_tree_and_harms_nothing(
    log: Log, database_url: str, object_store: servers.ObjectStoreSettings, tmp_path: Path
) -> None:
    """While it stands still another process appends and publishes more; then it goes on where it stood."""
    writes = await writes_of(await World.begin(log, database_url, object_store, 4000))
    overtaken = 0
    for number, what in enumerate(writes):
        if what == "commit":
            continue  # it holds a row's lock: the others wait until PostgreSQL ends it
        world = await World.begin(log, database_url, object_store, 4001 + number)
        other = Life()

        async def meanwhile(world: World = world, other: Life = other) -> None:
            async with world.process(other) as process:
                await process.shelf.open()
                start = len(world.messages)
                world.messages += [message(world.scribe.entry(), start + at) for at in range(300)]
                await process.consumer.apply(world.messages)
                async with process.database.session() as session:  # past the lock that the sleeper may hold
                    await process.publisher.publish(session, world.year)

        life = Life(number, before=meanwhile)
        async with world.process(life) as process:
            await world.work(process)
        overtaken += other.writes != []
        await world.judge(tmp_path / _named(number, what), [*life.checkpoints, *other.checkpoints])
    assert overtaken == sum(what != "commit" for what in writes)
