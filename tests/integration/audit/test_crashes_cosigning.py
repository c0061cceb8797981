"""A process of audit is ended at each write of its cosigning in turn; the witnesses' words are not lost."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import httpx
import pytest

import servers
from audit_fixtures import Log
from audit_logs import Scribe, prepared_entries
from mortal import Killed, Life, MortalDatabase, MortalStore
from neighbours import Neighbours
from otokura.audit.shelf import Shelf
from otokura.audit.witnessing import Patience, Witnessing
from otokura.cli.verify import verify_log

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.slow]

SIZES = (20, 320)
"""How large the log is each time that its witnesses are asked."""
PATIENT = Patience(interval=0.01, answer=10.0, silence=timedelta(days=1))


@dataclass
class World:
    """What outlives the processes: servers, a log of a year of its own, and the witnesses."""

    log: Log
    url: str
    where: servers.ObjectStoreSettings
    neighbours: Neighbours
    folder: Path
    year: int

    async def work(self, life: Life) -> None:
        """What a process does, from wherever the one before it was ended."""
        where = self.where
        database = MortalDatabase(self.url, pool_size=2)
        store = MortalStore(where.endpoint, where.access_key, where.secret_key)
        database.life = store.life = life
        shelf = Shelf(store, self.log.bucket, timedelta(days=1))
        witnesses = self.neighbours.witnesses(self.folder)
        others = asyncio.all_tasks()
        asking = Witnessing(database, shelf, self.log.signer, witnesses, 2, PATIENT)
        try:
            async with httpx.AsyncClient(transport=self.neighbours) as client:
                await asking.ask_all(client)
                for size in SIZES:
                    if await self._grows_to(size):
                        await asking.ask_all(client)
        finally:
            left = asyncio.all_tasks() - others  # what asked another witness dies with the process
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
            await store.close()
            await database.close()

    async def _grows_to(self, size: int) -> bool:
        """Another process publishes meanwhile; whether there is more than there was."""
        rows = await self.log.rows("SELECT size FROM log_shards WHERE shard = :year", year=self.year)
        more = size - (rows[0][0] if rows else 0)
        if more > 0:
            await self.log.append(prepared_entries(Scribe(), more), self.year)
            await self.log.publish()
        return more > 0

    async def judge(self) -> None:
        """Each of the witnesses stands under the newest tree, where readers look and on the way to Kafka."""
        folder = await self.log.download(self.folder / str(self.year), self.year)
        vkey = self.log.signer(self.year).vkey
        report = verify_log(folder, vkey, witnesses=self.neighbours.trusted(3))
        assert report.ok, report.findings
        assert report.size == SIZES[-1]
        note = (folder / "checkpoint").read_text()
        assert (folder / "cosigned").read_text() == note
        told = await self.log.rows(
            "SELECT 1 FROM outbox WHERE topic = 'otokura.audit.checkpoints'"
            " AND data::json->>'checkpoint' = :note",
            note=note,
        )
        assert len(told) == 1
        assert await self.log.alerts() == []


@pytest.mark.guarantee("L25")
@pytest.mark.parametrize("taking_effect", [False, True], ids=["just before", "just after"])
async def test_killed_at_any_write_of_cosigning_no_cosignature_is_lost(
    log: Log,
    database_url: str,
    object_store: servers.ObjectStoreSettings,
    tmp_path: Path,
    taking_effect: bool,
) -> None:
    years = range(3000, 3100)
    neighbours = Neighbours(tmp_path, "\n".join(log.signer(year).vkey for year in years))
    world = partial(World, log, database_url, object_store, neighbours, tmp_path)
    first, spared = world(years[0]), Life()
    await first.work(spared)
    await first.judge()
    assert {what.rpartition("/")[2] for what in spared.writes} == {"commit", "cosigned", "checkpoint"}
    for number in range(len(spared.writes)):
        life = Life(number)
        life.after, life.before = (life.die, None) if taking_effect else (None, life.die)
        here = world(years[1 + number])
        with pytest.raises(Killed):
            await here.work(life)
        await here.work(Life())
        await here.judge()
