"""What is to be published, as rows: leased, given back, ended. The database's clock decides.

Each statement that changes a job under way names its lease, so that a worker whose job was taken over changes
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import CursorResult, TextClause, text
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.errors import LeaseLost
from otokura.access.feeds.models import JobKind, JobState
from otokura.shared.ids import uuid7

# Under way stays under way: whoever holds the job sees at its end that something newer has come.
_UPSERT = """
    ON CONFLICT (feed_id, call_id, kind) DO UPDATE SET
        version = excluded.version, announced = excluded.announced, reason = NULL, finished_at = NULL,
        failures = 0,
        state = CASE WHEN feed_jobs.state = 'running' THEN 'running' ELSE 'queued' END,
        attempts = CASE WHEN feed_jobs.state = 'running' THEN feed_jobs.attempts ELSE 0 END,
        not_before = excluded.not_before, created_at = excluded.created_at
    WHERE feed_jobs.version < excluded.version
"""
_COLUMNS = "feed_id, call_id, kind, version, announced, state, attempts, failures, not_before, created_at"
_ENQUEUE = text(f"""
    INSERT INTO feed_jobs ({_COLUMNS})
    SELECT f.id, :call_id, :kind, :version, CAST(:announced AS text), 'queued', 0, 0,
        clock_timestamp(), clock_timestamp()
    FROM feeds f
    WHERE f.tenant_id = :tenant_id AND f.deleted_at IS NULL AND f.enabled AND (f.partials OR NOT :live)
        AND NOT EXISTS (SELECT 1 FROM feed_erasures e WHERE e.call_id = :call_id)
    {_UPSERT}
""")  # noqa: S608 - made of constants
_SUPERSEDE = text("""
    UPDATE feed_jobs SET state = 'withheld', reason = :reason, announced = NULL,
        finished_at = clock_timestamp()
    WHERE call_id = :call_id AND state = 'queued' AND kind = ANY(:kinds)
""")
_ERASE = text("""
    INSERT INTO feed_erasures (call_id, tenant_id, erased_at) VALUES (:call_id, :tenant_id, :erased_at)
    ON CONFLICT DO NOTHING
""")
# What is under way may still reach its feed: that feed is told, too, and only afterwards (see _LEASE).
_ENQUEUE_ERASED = text(f"""
    INSERT INTO feed_jobs ({_COLUMNS})
    SELECT f.id, :call_id, 'erased', 1, NULL, 'queued', 0, 0, clock_timestamp(), clock_timestamp()
    FROM feeds f
    WHERE f.tenant_id = :tenant_id AND f.deleted_at IS NULL AND (
        EXISTS (SELECT 1 FROM feed_calls h WHERE h.feed_id = f.id AND h.call_id = :call_id)
        OR EXISTS (SELECT 1 FROM feed_jobs j
            WHERE j.feed_id = f.id AND j.call_id = :call_id AND j.state = 'running'))
    {_UPSERT}
""")  # noqa: S608 - made of constants
_LEASE = text("""
    UPDATE feed_jobs j SET state = 'running', lease_id = :lease_id, attempts = j.attempts + 1,
        lease_until = clock_timestamp() + :lease
    FROM (
        SELECT q.feed_id, q.call_id, q.kind FROM feed_jobs q JOIN feeds f ON f.id = q.feed_id
        WHERE q.finished_at IS NULL AND f.provisioned_version = f.version
            AND (q.state = 'queued' AND q.not_before <= clock_timestamp()
                OR q.state = 'running' AND q.lease_until < clock_timestamp())
            AND (q.kind <> 'erased' OR NOT EXISTS (
                SELECT 1 FROM feed_jobs o
                WHERE o.feed_id = q.feed_id AND o.call_id = q.call_id AND o.kind <> 'erased'
                    AND o.state = 'running' AND o.lease_until >= clock_timestamp()))
        ORDER BY q.not_before LIMIT 1 FOR UPDATE OF q SKIP LOCKED
    ) due
    WHERE j.feed_id = due.feed_id AND j.call_id = due.call_id AND j.kind = due.kind
    RETURNING j.feed_id, j.call_id, j.kind, j.version, j.announced, j.attempts, j.failures, j.lease_id,
        clock_timestamp() - j.created_at AS age
""")
_MINE = "feed_id = :feed_id AND call_id = :call_id AND kind = :kind AND lease_id = :lease_id"
_FINISH = text(f"""
    UPDATE feed_jobs SET lease_id = NULL, lease_until = NULL,
        state = CASE WHEN version > :version THEN 'queued' ELSE :state END,
        reason = CASE WHEN version > :version THEN NULL ELSE CAST(:reason AS varchar) END,
        announced = CASE WHEN version > :version THEN announced END,
        finished_at = CASE WHEN version > :version THEN NULL ELSE clock_timestamp() END
    WHERE {_MINE} RETURNING 1
""")  # noqa: S608 - made of constants
_RELEASE = text(f"""
    UPDATE feed_jobs SET lease_id = NULL, lease_until = NULL, state = 'queued', failures = :failures,
        not_before = clock_timestamp() + :wait
    WHERE {_MINE} RETURNING 1
""")  # noqa: S608 - made of constants


@dataclass(frozen=True, slots=True)
class Job:
    """A job that this worker holds. `attempt` counts from 1; `failures` are those that were our own fault.

    `age`: since it was last queued.
    """

    feed_id: UUID
    call_id: UUID
    kind: JobKind
    version: int
    announced: str | None
    attempt: int
    failures: int
    lease_id: UUID
    age: timedelta


async def enqueue(
    session: AsyncSession,
    tenant_id: UUID,
    call_id: UUID,
    kind: JobKind,
    version: int,
    *,
    announced: str | None = None,
) -> None:
    """Something new about a call, for each enabled feed of the tenant that takes this kind of news.

    What is as old as what was known changes nothing; nothing is added for a call that is erased.
    """
    await _run(
        session,
        _ENQUEUE,
        tenant_id=tenant_id,
        call_id=call_id,
        kind=kind.value,
        version=version,
        announced=announced,
        live=kind is JobKind.PARTIAL,
    )
    if kind is JobKind.COMPLETED:
        reason = "there is a transcript"
        await _run(session, _SUPERSEDE, call_id=call_id, kinds=[JobKind.PARTIAL.value], reason=reason)


async def enqueue_erasure(session: AsyncSession, tenant_id: UUID, call_id: UUID, erased_at: datetime) -> None:
    """The call is erased: nothing of it is published any more, and every feed that had it is told.

    A feed that is disabled is told, too; a deleted one has no topic any more.
    """
    kinds = [JobKind.COMPLETED.value, JobKind.PARTIAL.value]
    await _run(session, _ERASE, call_id=call_id, tenant_id=tenant_id, erased_at=erased_at)
    await _run(session, _SUPERSEDE, call_id=call_id, kinds=kinds, reason="erased")
    await _run(session, _ENQUEUE_ERASED, call_id=call_id, tenant_id=tenant_id)


async def lease(session: AsyncSession, duration: timedelta) -> Job | None:
    """Takes the job that has been due for longest, or whose worker let its lease end."""
    row = (await _run(session, _LEASE, lease_id=uuid7(), lease=duration)).one_or_none()
    if row is None:
        return None
    return Job(
        feed_id=row.feed_id,
        call_id=row.call_id,
        kind=JobKind(row.kind),
        version=row.version,
        announced=row.announced,
        attempt=row.attempts,
        failures=row.failures,
        lease_id=row.lease_id,
        age=row.age,
    )


async def finish(
    session: AsyncSession, job: Job, version: int, state: JobState, reason: str | None = None
) -> None:
    """Ends a job, unless something newer than `version` has come meanwhile: then that is due.

    Raises:
        LeaseLost: another worker took the job over.
    """
    await _change(session, job, _FINISH, version=version, state=state.value, reason=reason)


async def release(session: AsyncSession, job: Job, wait: timedelta, *, failed: bool) -> None:
    """Gives a job back, to be tried again after `wait`.

    Raises:
        LeaseLost: another worker took the job over.
    """
    await _change(session, job, _RELEASE, wait=wait, failures=job.failures + failed)


async def _change(session: AsyncSession, job: Job, statement: TextClause, **values: Any) -> None:
    mine = {"feed_id": job.feed_id, "call_id": job.call_id, "kind": job.kind.value, "lease_id": job.lease_id}
    if not (await _run(session, statement, **mine, **values)).all():
        raise LeaseLost("Another worker has taken this job over.")


async def _run(session: AsyncSession, statement: TextClause, **values: Any) -> CursorResult[Any]:
    return await (await session.connection()).execute(statement, values)
