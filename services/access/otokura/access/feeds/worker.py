"""Takes jobs one after the other and carries them out: each at least once, however often we are killed."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from otokura.access.errors import LeaseLost, NotYet
from otokura.access.feeds import queue
from otokura.access.feeds.disclosure import Disclosures, Outcome
from otokura.access.feeds.models import JobState
from otokura.access.feeds.queue import Job
from otokura.access.settings import Settings
from otokura.shared import logs, metrics
from otokura.shared.database import Database
from otokura.shared.errors import IntegrityError, NotFound, OtokuraError, Unavailable
from otokura.shared.outbox import publish_audit

_ATTEMPT_SHARE = 0.6
"""Of the lease: an attempt is given up well before, so that what it sent late does not overtake the next."""
MAX_FAILURES = 8
"""Attempts that failed for no reason that we know."""
MAX_WAIT = timedelta(days=7)
"""For the call's other events: as long as the keys' topic keeps them."""
FIRST_DELAY = timedelta(seconds=1)
LONGEST_DELAY = timedelta(minutes=5)
_RETRY_SECONDS = 1.0

PUBLISHED = metrics.counter("otokura_access_feed_jobs_total", "Feed jobs, by how they ended.", ("outcome",))

log = logs.get_logger(__name__)


def delay(attempt: int) -> timedelta:
    """How long to wait after attempt number `attempt`: 1, 2, 4 … seconds, at most five minutes."""
    return min(FIRST_DELAY * (1 << min(attempt - 1, 30)), LONGEST_DELAY)


class FeedWorker:
    """One job at a time; run several for more.

    Args:
        database: the service's.
        disclosures: carries a job out.
        settings: how long a job is leased, and how often to look for one.
    """

    def __init__(self, database: Database, disclosures: Disclosures, settings: Settings) -> None:
        self._database = database
        self._disclosures = disclosures
        self._lease = timedelta(seconds=settings.feed_lease_seconds)
        self._attempt_seconds = settings.feed_lease_seconds * _ATTEMPT_SHARE
        self._poll_seconds = settings.feed_poll_seconds

    async def run(self) -> None:
        """Works for ever."""
        while True:
            try:
                worked = await self.step()
            except Unavailable as error:
                log.warning("feed.cannot_work", error=error)
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
                outcome = await self._disclosures.carry_out(job)
        except Exception as error:  # noqa: BLE001 - whatever happened to one call must not stop the others
            await self._failed(job, error)
        else:
            await self._end(job, outcome)
        return True

    async def _end(self, job: Job, outcome: Outcome) -> None:
        try:
            async with self._database.session() as session:
                await queue.finish(session, job, outcome.version, outcome.state, outcome.reason)
                if outcome.entry is not None:
                    await publish_audit(session, outcome.entry)
        except LeaseLost as error:
            log.warning("feed.lease_lost", feed_id=job.feed_id, call_id=job.call_id, error=error)
            return
        PUBLISHED.labels(outcome.state.value).inc()
        log.info(
            "feed.job_ended",
            feed_id=job.feed_id,
            call_id=job.call_id,
            kind=job.kind.value,
            state=outcome.state.value,
            reason=outcome.reason,
        )

    async def _failed(self, job: Job, error: Exception) -> None:
        """Tries again later what may still work; ends what cannot."""
        known = isinstance(error, Unavailable | NotYet | TimeoutError)
        ending = self._ending(job, error)
        # The text of an error that is not ours may hold content: only its kind is told.
        told = str(error) if isinstance(error, OtokuraError) else type(error).__name__
        log.warning("feed.attempt_failed", feed_id=job.feed_id, call_id=job.call_id, error=told)
        if ending is not None:
            await self._end(job, Outcome(ending, job.version, told))
            return
        try:
            async with self._database.session() as session:
                await queue.release(session, job, delay(job.attempt), failed=not known)
        except LeaseLost as lost:
            log.warning("feed.lease_lost", feed_id=job.feed_id, call_id=job.call_id, error=lost)

    @staticmethod
    def _ending(job: Job, error: Exception) -> JobState | None:
        if isinstance(error, NotFound):
            return JobState.WITHHELD  # the key is destroyed: the call is erased
        if isinstance(error, Unavailable | TimeoutError):
            return None
        hopeless = job.age > MAX_WAIT if isinstance(error, NotYet) else job.failures + 1 >= MAX_FAILURES
        return JobState.FAILED if hopeless or isinstance(error, IntegrityError) else None
