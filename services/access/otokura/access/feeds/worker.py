"""Carries out the jobs of feeds: publishes, or says why not."""

from __future__ import annotations

from datetime import timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.feeds import queue
from otokura.access.feeds.disclosure import Disclosures, Outcome
from otokura.access.feeds.models import JobState
from otokura.access.feeds.queue import Job
from otokura.access.settings import Settings
from otokura.access.worker import Worker, is_hopeless
from otokura.shared import logs, metrics
from otokura.shared.database import Database
from otokura.shared.errors import NotFound
from otokura.shared.outbox import publish_audit

PUBLISHED = metrics.counter("otokura_access_feed_jobs_total", "Feed jobs, by how they ended.", ("outcome",))

log = logs.get_logger(__name__)


class FeedWorker(Worker[Job, Outcome]):
    """One job at a time; run several for more.

    Args:
        database: the service's.
        disclosures: carries a job out.
        settings: how long a job is leased, and how often to look for one.
    """

    def __init__(self, database: Database, disclosures: Disclosures, settings: Settings) -> None:
        super().__init__(database, "feed", settings.feed_lease_seconds, settings.feed_poll_seconds)
        self._disclosures = disclosures

    async def take(self, session: AsyncSession, duration: timedelta) -> Job | None:
        """See `Worker.take`."""
        return await queue.lease(session, duration)

    async def carry_out(self, job: Job) -> Outcome:
        """See `Worker.carry_out`."""
        return await self._disclosures.carry_out(job)

    async def end(self, job: Job, result: Outcome) -> None:
        """The job with what came of it, and the entry that says so, in one transaction."""
        async with self._database.session() as session:
            await queue.finish(session, job, result.version, result.state, result.reason)
            if result.entry is not None:
                await publish_audit(session, result.entry)
        PUBLISHED.labels(result.state.value).inc()
        log.info(
            "feed.job_ended",
            feed_id=job.feed_id,
            call_id=job.call_id,
            kind=job.kind.value,
            state=result.state.value,
            reason=result.reason,
        )

    async def give_up(self, job: Job, error: Exception, told: str) -> bool:
        """See `Worker.give_up`. That there is no key means that the call is erased."""
        erased = isinstance(error, NotFound)
        if not erased and not is_hopeless(job, error):
            return False
        await self.end(job, Outcome(JobState.WITHHELD if erased else JobState.FAILED, job.version, told))
        return True

    async def release(self, session: AsyncSession, job: Job, wait: timedelta, *, failed: bool) -> None:
        """See `Worker.release`."""
        await queue.release(session, job, wait, failed=failed)
