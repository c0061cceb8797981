"""Takes jobs one after the other and carries them out: each at least once, however often we are killed."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from otokura.access.errors import LeaseLost, NotYet
from otokura.access.search import queue
from otokura.access.search.indexer import Indexer
from otokura.access.search.models import JobState
from otokura.access.search.queue import Job
from otokura.access.settings import Settings
from otokura.shared import logs, metrics
from otokura.shared.database import Database
from otokura.shared.errors import IntegrityError, OtokuraError, Unavailable

_ATTEMPT_SHARE = 0.6
"""Of the lease: an attempt is given up well before another worker takes the job."""
MAX_FAILURES = 8
"""Attempts that failed for no reason that we know."""
MAX_WAIT = timedelta(days=7)
"""For the call's other events: as long as the keys' topic keeps them."""
FIRST_DELAY = timedelta(seconds=1)
LONGEST_DELAY = timedelta(minutes=5)
_RETRY_SECONDS = 1.0

INDEXED = metrics.counter("otokura_access_index_jobs_total", "Calls to index, by how it ended.", ("outcome",))

log = logs.get_logger(__name__)


def delay(attempt: int) -> timedelta:
    """How long to wait after attempt number `attempt`: 1, 2, 4 … seconds, at most five minutes."""
    return min(FIRST_DELAY * (1 << min(attempt - 1, 30)), LONGEST_DELAY)


class IndexWorker:
    """One job at a time; run several for more.

    Args:
        database: the service's.
        indexer: carries a job out.
        settings: how long a job is leased, and how often to look for one.
    """

    def __init__(self, database: Database, indexer: Indexer, settings: Settings) -> None:
        self._database = database
        self._indexer = indexer
        self._lease = timedelta(seconds=settings.index_lease_seconds)
        self._attempt_seconds = settings.index_lease_seconds * _ATTEMPT_SHARE
        self._poll_seconds = settings.index_poll_seconds

    async def run(self) -> None:
        """Works for ever."""
        while True:
            try:
                worked = await self.step()
            except Unavailable as error:
                log.warning("search.cannot_index", error=error)
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                if not worked:
                    await asyncio.sleep(self._poll_seconds)

    async def step(self) -> bool:
        """Takes one job, and ends it or gives it back.

        Returns:
            Whether there was one.

        Raises:
            Unavailable: the database cannot be reached; what was taken is taken again when its lease ends.
        """
        async with self._database.session() as session:
            job = await queue.lease(session, self._lease)
        if job is None:
            return False
        try:
            async with asyncio.timeout(self._attempt_seconds):
                await self._indexer.carry_out(job)
        except LeaseLost as error:
            log.info("search.lease_lost", call_id=job.call_id, error=error)
        except Exception as error:  # noqa: BLE001 - whatever happened to one call must not stop the others
            await self._failed(job, error)
        else:
            INDEXED.labels(JobState.DONE.value).inc()
        return True

    async def _failed(self, job: Job, error: Exception) -> None:
        """Tries again later what may still work; ends what cannot."""
        known = isinstance(error, Unavailable | NotYet | TimeoutError)
        # The text of an error that is not ours may hold content: only its kind is told.
        told = str(error) if isinstance(error, OtokuraError) else type(error).__name__
        log.warning("search.indexing_failed", call_id=job.call_id, error=told)
        try:
            async with self._database.session() as session:
                if self._is_hopeless(job, error):
                    await queue.finish(session, job, job.version, JobState.FAILED, told)
                    INDEXED.labels(JobState.FAILED.value).inc()
                else:
                    await queue.release(session, job, delay(job.attempt), failed=not known)
        except LeaseLost as lost:
            log.info("search.lease_lost", call_id=job.call_id, error=lost)

    @staticmethod
    def _is_hopeless(job: Job, error: Exception) -> bool:
        if isinstance(error, Unavailable | TimeoutError):
            return False
        if isinstance(error, NotYet):
            return job.age > MAX_WAIT
        # A key that is not there may be one that the provider does not know yet, or a call's that is erased.
        return isinstance(error, IntegrityError) or job.failures + 1 >= MAX_FAILURES
