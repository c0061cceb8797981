"""Carries out the jobs of the search index."""

from __future__ import annotations

from datetime import timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.search import queue
from otokura.access.search.indexer import Indexer
from otokura.access.search.models import JobState
from otokura.access.search.queue import Job
from otokura.access.settings import Settings
from otokura.access.worker import Worker, is_hopeless
from otokura.shared import metrics
from otokura.shared.database import Database

INDEXED = metrics.counter("otokura_access_index_jobs_total", "Calls to index, by how it ended.", ("outcome",))


class IndexWorker(Worker[Job, None]):
    """One job at a time; run several for more.

    Args:
        database: the service's.
        indexer: carries a job out, and ends it in the transaction of the index.
        settings: how long a job is leased, and how often to look for one.
    """

    def __init__(self, database: Database, indexer: Indexer, settings: Settings) -> None:
        super().__init__(database, "search", settings.index_lease_seconds, settings.index_poll_seconds)
        self._indexer = indexer

    async def take(self, session: AsyncSession, duration: timedelta) -> Job | None:
        """See `Worker.take`."""
        return await queue.lease(session, duration)

    async def carry_out(self, job: Job) -> None:
        """See `Worker.carry_out`."""
        await self._indexer.carry_out(job)

    async def end(self, job: Job, result: None) -> None:
        """It has ended already."""
        del job, result
        INDEXED.labels(JobState.DONE.value).inc()

    async def give_up(self, job: Job, error: Exception, told: str) -> bool:
        """See `Worker.give_up`.

        A key that is not there may be one that the provider does not know yet, or a call's that is erased.
        """
        if not is_hopeless(job, error):
            return False
        async with self._database.session() as session:
            await queue.finish(session, job, job.version, JobState.FAILED, told)
        INDEXED.labels(JobState.FAILED.value).inc()
        return True

    async def release(self, session: AsyncSession, job: Job, wait: timedelta, *, failed: bool) -> None:
        """See `Worker.release`."""
        await queue.release(session, job, wait, failed=failed)
