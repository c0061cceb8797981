"""Every query that transcribe makes.

A job is held by its lease: each statement that changes a running job names the lease, so that a worker whose
job was taken over changes nothing. The database's clock decides when a lease ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, exists, func, or_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import Select

from otokura.shared.events import KeyWrapped
from otokura.shared.ids import uuid7
from otokura.shared.keys import WrappedDek
from otokura.shared.manifest import Manifest
from otokura.transcribe.errors import LeaseLost
from otokura.transcribe.models import CallKey, Job, JobState, Lane, Recording
from otokura.transcribe.service import handicap


@dataclass(frozen=True)
class LeasedJob:
    """A job that this worker holds.

    `attempt` starts at 1, the counts are as in `models.Job`. `version` is the attempt's among all of the
    recording, `earlier` are those of the job's attempts before.
    """

    lease_id: UUID
    id: UUID
    manifest: Manifest
    wrapped: WrappedDek
    version: int
    attempt: int
    failures: int
    takeovers: int
    earlier: tuple[int, ...] = ()
    request_id: UUID | None = None

    @property
    def call_id(self) -> UUID:
        """The call whose recording it is."""
        return self.manifest.call_id

    @property
    def tenant_id(self) -> UUID:
        """The call's tenant."""
        return self.manifest.tenant_id


async def add_job(session: AsyncSession, manifest: Manifest, *, customer_holds_key: bool = False) -> bool:
    """Queues a recording; one that was ever queued stays as it is.

    Args:
        session: the transaction.
        manifest: the recording's.
        customer_holds_key: the key is to be destroyed here when the recording is transcribed.

    Returns:
        Whether it is new.
    """
    whose = {"call_id": manifest.call_id, "tenant_id": manifest.tenant_id}
    recording = whose | {
        "manifest": manifest.model_dump(mode="json"),
        "started_at": manifest.started_at,
        "last_version": 0,
        "customer_holds_key": customer_holds_key,
    }
    added = insert(Recording).values(recording).on_conflict_do_nothing().returning(col(Recording.call_id))
    if (await session.exec(added)).one_or_none() is None:
        return False
    job: dict[str, Any] = whose | {
        "id": manifest.call_id,
        "lane": Lane.FRESH,
        "rank": func.clock_timestamp() + handicap(manifest.duration_ms),
        "state": JobState.QUEUED,
        "attempts": 0,
        "versions": [],
        "failures": 0,
        "takeovers": 0,
    }
    await session.exec(insert(Job).values(job))
    return True


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


async def lease(
    session: AsyncSession, duration: timedelta, *, models: Sequence[str] = (), prefer: Lane = Lane.FRESH
) -> LeasedJob | None:
    """Takes a job that is due and has its key, or whose worker let its lease end.

    Args:
        session: in whose transaction it is taken.
        duration: of the lease.
        models: what the worker's model is called; jobs that ask for another are left to others.
        prefer: the lane that is looked into first.
    """
    for lane in (prefer, *(other for other in Lane if other is not prefer)):
        found = (await session.exec(_next(lane, models))).one_or_none()
        if found is not None:
            return await _take(session, *found, duration)
    return None


def _next(lane: Lane, models: Sequence[str]) -> Select[Job, Recording, CallKey]:
    """One job a recording at a time, and the first one before any other.

    What is asked of `recordings` is asked again of the row as it is when it is locked, so that two workers
    never hold two jobs of one recording.
    """
    due = or_(
        and_(col(Job.state) == JobState.QUEUED, col(Job.not_before) <= func.clock_timestamp()),
        and_(col(Job.state) == JobState.RUNNING, col(Job.lease_until) < func.clock_timestamp()),
    )
    first = aliased(Job)
    first_is_over = exists().where(col(first.id) == col(Job.call_id), col(first.finished_at).is_not(None))
    return (
        select(Job, Recording, CallKey)
        .join(Recording, col(Recording.call_id) == col(Job.call_id))
        .join(CallKey, col(CallKey.call_id) == col(Job.call_id))
        .where(col(Job.lane) == lane, col(Job.finished_at).is_(None), due)
        .where(or_(col(Job.model).is_(None), col(Job.model).in_(models)))
        .where(or_(col(Recording.job_id).is_(None), col(Recording.job_id) == col(Job.id)))
        .where(or_(col(Job.id) == col(Job.call_id), first_is_over))
        .order_by(col(Job.rank), col(Job.id))
        .limit(1)
        .with_for_update(of=[Job, Recording], skip_locked=True)
    )


async def _take(
    session: AsyncSession, job: Job, recording: Recording, key: CallKey, duration: timedelta
) -> LeasedJob:
    held = LeasedJob(
        lease_id=uuid7(),
        id=job.id,
        manifest=Manifest.model_validate(recording.manifest),
        wrapped=WrappedDek(key.kek_id, key.wrapped),
        version=recording.last_version + 1,
        attempt=job.attempts + 1,
        failures=job.failures,
        takeovers=job.takeovers + (job.state == JobState.RUNNING),
        earlier=tuple(job.versions),
        request_id=job.request_id,
    )
    taken = {
        "state": JobState.RUNNING,
        "lease_id": held.lease_id,
        "lease_until": func.clock_timestamp() + duration,
        "attempts": held.attempt,
        "versions": [*held.earlier, held.version],
        "takeovers": held.takeovers,
    }
    await session.exec(update(Job).where(col(Job.id) == held.id).values(taken))
    holder = {"last_version": held.version, "job_id": held.id}
    await session.exec(update(Recording).where(col(Recording.call_id) == held.call_id).values(holder))
    return held


async def is_wrapped_anew(session: AsyncSession, job: LeasedJob) -> bool:
    """Whether the call's key was wrapped by another key-encryption key since the job was taken."""
    key = await session.get(CallKey, job.call_id)
    return key is not None and key.kek_id != job.wrapped.kek_id


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
    await _let_go(session, job)


async def finish(
    session: AsyncSession, job: LeasedJob, *, reason: str | None = None, made_with: str | None = None
) -> None:
    """Ends the job for good: done with a model, or failed for `reason`.

    Raises:
        LeaseLost: another worker took the job over.
    """
    await _change(
        session,
        job,
        state=JobState.DONE if reason is None else JobState.FAILED,
        reason=reason,
        made_with=made_with,
        lease_id=None,
        lease_until=None,
        finished_at=func.clock_timestamp(),
    )
    await _let_go(session, job)


async def _change(session: AsyncSession, job: LeasedJob, **values: Any) -> None:
    statement = (
        update(Job)
        .where(col(Job.id) == job.id, col(Job.lease_id) == job.lease_id)
        .values(**values)
        .returning(col(Job.id))
    )
    if (await session.exec(statement)).one_or_none() is None:
        raise LeaseLost("Another worker has taken this job over.")


async def _let_go(session: AsyncSession, job: LeasedJob) -> None:
    mine = col(Recording.call_id) == job.call_id, col(Recording.job_id) == job.id
    await session.exec(update(Recording).where(*mine).values(job_id=None))


@dataclass(frozen=True)
class Depth:
    """How many jobs of a lane are in a state, and how many seconds ago the oldest of them came."""

    lane: Lane
    state: JobState
    jobs: int
    oldest_seconds: float


async def depths(session: AsyncSession) -> list[Depth]:
    """The queue, by lane and state."""
    age = func.extract("epoch", func.clock_timestamp() - func.min(col(Job.created_at)))
    query = select(col(Job.lane), col(Job.state), func.count(), age).group_by(col(Job.lane), col(Job.state))
    found = {
        (lane, state): (number, float(oldest))
        for lane, state, number, oldest in (await session.exec(query)).all()
    }
    return [Depth(lane, state, *found.get((lane, state), (0, 0.0))) for lane in Lane for state in JobState]
