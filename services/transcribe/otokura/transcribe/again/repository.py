"""Every query about requests to transcribe again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, exists, func, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.shared.events import TranscriptionRequested
from otokura.transcribe.models import Job, JobState, Recording, Request, WorkerRecord
from otokura.transcribe.service import HANDICAP

ALIVE = timedelta(minutes=1)
"""After how long without a word a worker counts as gone."""
_FORGOTTEN = timedelta(hours=1)
_ALL = "TRUE"

# A job's id comes from the request and the call: however often the request arrives, it is one job.
# A call that waits for the same already, or has the model's transcript, is not taken.
_EXPAND = """
    INSERT INTO jobs (id, call_id, tenant_id, lane, request_id, model, rank,
        state, attempts, versions, failures, takeovers)
    SELECT md5(asked.id::text || r.call_id::text)::uuid, r.call_id, r.tenant_id, 'again', asked.id,
        asked.model, now() + (r.manifest->>'duration_ms')::bigint * :handicap * interval '1 ms',
        'queued', 0, '{{}}', 0, 0
    FROM requests asked CROSS JOIN recordings r
    WHERE asked.id = :request_id AND {conditions} AND NOT r.customer_holds_key AND NOT EXISTS (
        SELECT FROM jobs j WHERE j.call_id = r.call_id AND (
            (j.lane = 'again' AND j.finished_at IS NULL AND j.model IS NOT DISTINCT FROM asked.model)
            OR j.made_with = asked.model OR split_part(j.made_with, ' ', 1) = asked.model))
    ON CONFLICT DO NOTHING
"""
_CONDITIONS = {
    "tenant_id": "r.tenant_id = :tenant_id",
    "call_id": "r.call_id = :call_id",
    "since": "r.started_at >= :since",
    "until": "r.started_at < :until",
}


async def add_request(session: AsyncSession, event: TranscriptionRequested) -> None:
    """Keeps a request and queues a job for each recording that it asks for; a known one stays as it is."""
    row = {
        **event.model_dump(include={"tenant_id", "model", "requested_at"}),
        "id": event.request_id,
        "version": 0,
        "settled": False,
    }
    added = insert(Request).values(row).on_conflict_do_nothing().returning(col(Request.id))
    if (await session.exec(added)).one_or_none() is None:
        return
    given = {name: getattr(event, name) for name in _CONDITIONS if getattr(event, name) is not None}
    conditions = " AND ".join([_CONDITIONS[name] for name in given] or [_ALL])
    parameters = {**given, "request_id": event.request_id, "handicap": HANDICAP}
    statement = text(_EXPAND.format(conditions=conditions))
    await (await session.connection()).execute(statement, parameters)


async def revive(session: AsyncSession, job_id: UUID) -> bool:
    """Queues a job that was given up as if it were new.

    Returns:
        Whether there is one; the job may be queued already, done, or erased.
    """
    anew = {
        "state": JobState.QUEUED,
        "failures": 0,
        "takeovers": 0,
        "reason": None,
        "finished_at": None,
        "not_before": func.clock_timestamp(),
        "created_at": func.clock_timestamp(),
        "rank": func.clock_timestamp() + (col(Job.rank) - col(Job.created_at)),
    }
    held = exists().where(col(Recording.call_id) == col(Job.call_id), col(Recording.customer_holds_key))
    given_up = update(Job).where(col(Job.id) == job_id, col(Job.state) == JobState.FAILED, ~held)
    found = (await session.exec(given_up.values(anew).returning(col(Job.request_id)))).all()
    if not found:
        return False
    await session.exec(update(Request).where(col(Request.id) == found[0][0]).values(settled=False))
    return True


async def say_alive(session: AsyncSession, worker_id: UUID, models: Sequence[str]) -> None:
    """Notes that a worker lives and what its model is called; forgets those that are long gone."""
    row = insert(WorkerRecord).values(id=worker_id, models=list(models), seen_at=func.clock_timestamp())
    seen = {"models": row.excluded.models, "seen_at": row.excluded.seen_at}
    await session.exec(row.on_conflict_do_update(index_elements=["id"], set_=seen))
    gone = col(WorkerRecord.seen_at) < func.clock_timestamp() - _FORGOTTEN
    await session.exec(delete(WorkerRecord).where(gone))


async def models_at_work(session: AsyncSession) -> set[str]:
    """The names of the models that workers have which live."""
    alive = col(WorkerRecord.seen_at) >= func.clock_timestamp() - ALIVE
    found = (await session.exec(select(col(WorkerRecord.models)).where(alive))).all()
    return {name for models in found for name in models}


async def unserved(session: AsyncSession, models: set[str]) -> int:
    """How many jobs wait for a model that is none of `models`."""
    waiting = select(func.count()).where(
        col(Job.state) == JobState.QUEUED, col(Job.model).is_not(None), col(Job.model).not_in(models)
    )
    return (await session.exec(waiting)).one()


async def open_requests(session: AsyncSession, limit: int) -> Sequence[Request]:
    """Requests that are not settled, for this transaction alone."""
    found = select(Request).where(~col(Request.settled)).order_by(col(Request.id)).limit(limit)
    return (await session.exec(found.with_for_update(skip_locked=True))).all()


async def states(session: AsyncSession, request_id: UUID) -> dict[JobState, int]:
    """How many of a request's jobs are in each state."""
    query = select(col(Job.state), func.count()).where(col(Job.request_id) == request_id)
    found: dict[Any, int] = dict((await session.exec(query.group_by(col(Job.state)))).all())
    return {state: found.get(state, 0) for state in JobState}
