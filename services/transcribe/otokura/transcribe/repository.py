"""Every query that transcribe makes.

A job is held by its lease: each statement that changes a running job names the lease, so that a worker whose
job was taken over changes nothing. The database's clock decides when a lease ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, func, or_, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.shared.events import KeyWrapped
from otokura.shared.ids import uuid7
from otokura.shared.keys import WrappedDek
from otokura.shared.manifest import Manifest
from otokura.transcribe.errors import LeaseLost
from otokura.transcribe.models import CallKey, Job, JobState


@dataclass(frozen=True)
class LeasedJob:
    """A job that this worker holds; `attempt` starts at 1, the counts are as in `models.Job`."""

    lease_id: UUID
    manifest: Manifest
    wrapped: WrappedDek
    attempt: int
    failures: int
    takeovers: int

    @property
    def call_id(self) -> UUID:
        """The call whose recording it is."""
        return self.manifest.call_id

    @property
    def tenant_id(self) -> UUID:
        """The call's tenant."""
        return self.manifest.tenant_id


async def add_job(session: AsyncSession, manifest: Manifest) -> bool:
    """Queues a recording; one that was ever queued stays as it is.

    Returns:
        Whether it is new.
    """
    row = {
        "call_id": manifest.call_id,
        "tenant_id": manifest.tenant_id,
        "manifest": manifest.model_dump(mode="json"),
        "state": JobState.QUEUED,
        "attempts": 0,
        "failures": 0,
        "takeovers": 0,
    }
    statement = insert(Job).values(row).on_conflict_do_nothing().returning(col(Job.call_id))
    return (await session.exec(statement)).one_or_none() is not None


async def store_key(session: AsyncSession, event: KeyWrapped) -> None:
    """Keeps the newest wrapping of a call's key."""
    row = event.model_dump(include={"call_id", "tenant_id", "version", "kek_id"})
    statement = insert(CallKey).values(row | {"wrapped": event.wrapped})
    newer = statement.on_conflict_do_update(
        index_elements=["call_id"],
        set_={name: statement.excluded[name] for name in ("version", "kek_id", "wrapped")},
        where=col(CallKey.version) < statement.excluded.version,
    )
    await (await session.connection()).execute(newer)


async def lease(session: AsyncSession, duration: timedelta) -> LeasedJob | None:
    """Takes the oldest job that is due and has its key, or whose worker let its lease end."""
    due = or_(
        and_(col(Job.state) == JobState.QUEUED, col(Job.not_before) <= func.clock_timestamp()),
        and_(col(Job.state) == JobState.RUNNING, col(Job.lease_until) < func.clock_timestamp()),
    )
    oldest = (
        select(Job, CallKey)
        .join(CallKey, col(CallKey.call_id) == col(Job.call_id))
        .where(due)
        .order_by(col(Job.created_at), col(Job.call_id))
        .limit(1)
        .with_for_update(of=Job, skip_locked=True)
    )
    found = (await session.exec(oldest)).one_or_none()
    if found is None:
        return None
    job, key = found
    held = LeasedJob(
        lease_id=uuid7(),
        manifest=Manifest.model_validate(job.manifest),
        wrapped=WrappedDek(key.kek_id, key.wrapped),
        attempt=job.attempts + 1,
        failures=job.failures,
        takeovers=job.takeovers + (job.state == JobState.RUNNING),
    )
    take = (
        update(Job)
        .where(col(Job.call_id) == held.call_id)
        .values(
            state=JobState.RUNNING,
            lease_id=held.lease_id,
            lease_until=func.clock_timestamp() + duration,
            attempts=held.attempt,
            takeovers=held.takeovers,
        )
    )
    await session.exec(take)
    return held


async def renew(session: AsyncSession, job: LeasedJob, duration: timedelta) -> None:
    """Says that the worker lives and goes on.

    Raises:
        LeaseLost: another worker took the job over.
    """
    await _change(session, job, lease_until=func.clock_timestamp() + duration)


async def release(session: AsyncSession, job: LeasedJob, wait: timedelta, *, failed: bool) -> None:
    """Gives the job back, to be begun again after `wait`.

    Raises:
        LeaseLost: another worker took the job over.
    """
    await _change(
        session,
        job,
        state=JobState.QUEUED,
        lease_id=None,
        lease_until=None,
        not_before=func.clock_timestamp() + wait,
        failures=job.failures + failed,
    )


async def finish(session: AsyncSession, job: LeasedJob, *, reason: str | None = None) -> None:
    """Ends the job for good: done, or failed for `reason`.

    Raises:
        LeaseLost: another worker took the job over.
    """
    await _change(
        session,
        job,
        state=JobState.DONE if reason is None else JobState.FAILED,
        reason=reason,
        lease_id=None,
        lease_until=None,
        finished_at=func.clock_timestamp(),
    )


async def _change(session: AsyncSession, job: LeasedJob, **values: Any) -> None:
    statement = (
        update(Job)
        .where(col(Job.call_id) == job.call_id, col(Job.lease_id) == job.lease_id)
        .values(**values)
        .returning(col(Job.call_id))
    )
    if (await session.exec(statement)).one_or_none() is None:
        raise LeaseLost("Another worker has taken this job over.")


async def counts(session: AsyncSession) -> dict[JobState, int]:
    """How many jobs are in each state."""
    query = select(col(Job.state), func.count()).group_by(col(Job.state))
    found = {JobState(state): number for state, number in (await session.exec(query)).all()}
    return {state: found.get(state, 0) for state in JobState}
