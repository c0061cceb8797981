"""What is to be indexed, as rows: leased, given back, ended. The database's clock decides.

Each statement that changes a job under way names its lease, so that a worker whose job was taken over, or
whose call was erased meanwhile, changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import CursorResult, TextClause, text
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.errors import LeaseLost
from otokura.access.search.models import JobState
from otokura.shared.ids import uuid7

# Under way stays under way: whoever holds the job sees at its end that something newer has come.
_ENQUEUE = text("""
    INSERT INTO search_jobs AS j
        (call_id, tenant_id, version, state, attempts, failures, not_before, created_at)
    VALUES (:call_id, :tenant_id, :version, 'queued', 0, 0, clock_timestamp(), clock_timestamp())
    ON CONFLICT (call_id) DO UPDATE SET
        version = excluded.version, reason = NULL, finished_at = NULL, failures = 0,
        state = CASE WHEN j.state = 'running' THEN 'running' ELSE 'queued' END,
        attempts = CASE WHEN j.state = 'running' THEN j.attempts ELSE 0 END,
        not_before = excluded.not_before, created_at = excluded.created_at
    WHERE j.version < excluded.version AND j.state <> 'erased' AND j.tenant_id = excluded.tenant_id
""")
_ERASE = text("""
    INSERT INTO search_jobs AS j
        (call_id, tenant_id, version, state, attempts, failures, not_before, created_at, finished_at)
    VALUES (:call_id, :tenant_id, 0, 'erased', 0, 0, clock_timestamp(), clock_timestamp(), clock_timestamp())
    ON CONFLICT (call_id) DO UPDATE SET
        state = 'erased', lease_id = NULL, lease_until = NULL, reason = NULL, finished_at = clock_timestamp()
    WHERE j.tenant_id = excluded.tenant_id
""")
# After _ERASE, which waits for a worker that is just putting the call there.
_REMOVE = text("DELETE FROM search_index WHERE call_id = :call_id AND tenant_id = :tenant_id")
# What is under way was made of what was known before: its worker finds that the job is no longer its own.
_AGAIN = """
    UPDATE search_jobs SET state = 'queued', lease_id = NULL, lease_until = NULL, reason = NULL, attempts = 0,
        failures = 0, not_before = clock_timestamp(), created_at = clock_timestamp(), finished_at = NULL
    WHERE tenant_id = :tenant_id AND state <> 'erased'
"""
_CALL_AGAIN, _ALL_AGAIN = text(f"{_AGAIN} AND call_id = :call_id"), text(_AGAIN)
_LEASE = text("""
    UPDATE search_jobs j SET state = 'running', lease_id = :lease_id, attempts = j.attempts + 1,
        lease_until = clock_timestamp() + :lease
    FROM (
        SELECT q.call_id FROM search_jobs q
        WHERE q.finished_at IS NULL
            AND (q.state = 'queued' AND q.not_before <= clock_timestamp()
                OR q.state = 'running' AND q.lease_until < clock_timestamp())
        ORDER BY q.not_before LIMIT 1 FOR UPDATE SKIP LOCKED
    ) due
    WHERE j.call_id = due.call_id
    RETURNING j.call_id, j.tenant_id, j.version, j.attempts, j.failures, j.lease_id,
        clock_timestamp() - j.created_at AS age
""")
_MINE = "call_id = :call_id AND lease_id = :lease_id"
_FINISH = text(f"""
    UPDATE search_jobs SET lease_id = NULL, lease_until = NULL,
        state = CASE WHEN version > :version THEN 'queued' ELSE :state END,
        reason = CASE WHEN version > :version THEN NULL ELSE CAST(:reason AS varchar) END,
        finished_at = CASE WHEN version > :version THEN NULL ELSE clock_timestamp() END
    WHERE {_MINE} RETURNING 1
""")  # noqa: S608 - made of constants
_RELEASE = text(f"""
    UPDATE search_jobs SET lease_id = NULL, lease_until = NULL, state = 'queued', failures = :failures,
        not_before = clock_timestamp() + :wait
    WHERE {_MINE} RETURNING 1
""")  # noqa: S608 - made of constants


@dataclass(frozen=True, slots=True)
class Job:
    """A job that this worker holds. `attempt` counts from 1; `failures` are those that were our own fault.

    `age`: since it was last queued.
    """

    call_id: UUID
    tenant_id: UUID
    version: int
    attempt: int
    failures: int
    lease_id: UUID
    age: timedelta


async def enqueue(session: AsyncSession, tenant_id: UUID, call_id: UUID, version: int) -> None:
    """There is a transcript to index; an older one changes nothing, nor does one of an erased call."""
    await _run(session, _ENQUEUE, tenant_id=tenant_id, call_id=call_id, version=version)


async def erase(session: AsyncSession, tenant_id: UUID, call_id: UUID) -> None:
    """Takes a call out of the index, for good."""
    await _run(session, _ERASE, tenant_id=tenant_id, call_id=call_id)
    await _run(session, _REMOVE, tenant_id=tenant_id, call_id=call_id)


async def again(session: AsyncSession, tenant_id: UUID, call_id: UUID | None = None) -> None:
    """Has a call indexed again, or all of a tenant's, of those that ever were to be."""
    if call_id is None:
        await _run(session, _ALL_AGAIN, tenant_id=tenant_id)
    else:
        await _run(session, _CALL_AGAIN, tenant_id=tenant_id, call_id=call_id)


async def lease(session: AsyncSession, duration: timedelta) -> Job | None:
    """Takes the job that has been due for longest, or whose worker let its lease end."""
    row = (await _run(session, _LEASE, lease_id=uuid7(), lease=duration)).one_or_none()
    if row is None:
        return None
    return Job(
        call_id=row.call_id,
        tenant_id=row.tenant_id,
        version=row.version,
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
        LeaseLost: another worker took the job over, or the call was erased.
    """
    await _change(session, job, _FINISH, version=version, state=state.value, reason=reason)


async def release(session: AsyncSession, job: Job, wait: timedelta, *, failed: bool) -> None:
    """Gives a job back, to be tried again after `wait`.

    Raises:
        LeaseLost: another worker took the job over, or the call was erased.
    """
    await _change(session, job, _RELEASE, wait=wait, failures=job.failures + failed)


async def _change(session: AsyncSession, job: Job, statement: TextClause, **values: Any) -> None:
    if not (await _run(session, statement, call_id=job.call_id, lease_id=job.lease_id, **values)).all():
        raise LeaseLost("Another worker has taken this job over, or the call was erased.")


async def _run(session: AsyncSession, statement: TextClause, **values: Any) -> CursorResult[Any]:
    return await (await session.connection()).execute(statement, values)
