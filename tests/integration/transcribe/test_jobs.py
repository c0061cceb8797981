"""Jobs under leases."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlmodel import col, select

from otokura.shared.database import Database
from otokura.transcribe import repository
from otokura.transcribe.errors import LeaseLost
from otokura.transcribe.models import CallKey, Job, JobState, Lane
from otokura.transcribe.repository import LeasedJob
from recordings import Recordings, SealedCall, enqueue

pytestmark = [pytest.mark.postgres, pytest.mark.s3]

LONG = timedelta(minutes=5)
OVER = timedelta(seconds=-1)


@pytest.fixture
async def call(recordings: Recordings) -> SealedCall:
    return await recordings.add(b"any bytes")


async def lease(database: Database, duration: timedelta = LONG) -> LeasedJob | None:
    async with database.session() as session:
        return await repository.lease(session, duration)


async def held(database: Database, duration: timedelta = LONG) -> LeasedJob:
    job = await lease(database, duration)
    assert job is not None
    return job


async def job_of(database: Database, call_id: UUID) -> Job:
    async with database.session() as session:
        return await session.get_one(Job, call_id)


async def put(database: Database, call: SealedCall) -> None:
    async with database.session() as session:
        await enqueue(session, call)


async def test_a_job_is_leased_once(database: Database, call: SealedCall) -> None:
    await put(database, call)
    job = await held(database)
    assert (job.call_id, job.attempt, job.failures, job.takeovers) == (call.call_id, 1, 0, 0)
    assert job.manifest == call.manifest
    assert await lease(database) is None


async def test_a_job_waits_for_its_key(database: Database, call: SealedCall) -> None:
    async with database.session() as session:
        await repository.add_job(session, call.manifest)
    assert await lease(database) is None
    async with database.session() as session:
        await repository.store_key(session, call.wrapped)
    assert (await held(database)).wrapped.wrapped == call.wrapped.wrapped


@pytest.mark.guarantee("T1")
async def test_workers_that_look_at_once_get_different_jobs(
    database: Database, recordings: Recordings
) -> None:
    calls = [await recordings.add(b"any bytes") for _ in range(4)]
    for one in calls:
        await put(database, one)
    jobs = await asyncio.gather(*(lease(database) for _ in range(8)))
    assert sorted(job.call_id for job in jobs if job) == sorted(one.call_id for one in calls)


async def test_the_oldest_job_comes_first(database: Database, recordings: Recordings) -> None:
    calls = [await recordings.add(b"any bytes") for _ in range(3)]
    for one in calls:
        await put(database, one)
    assert [(await held(database)).call_id for _ in calls] == [one.call_id for one in calls]


@pytest.mark.guarantee("T1")
async def test_a_recording_that_arrives_again_is_not_transcribed_again(
    database: Database, call: SealedCall
) -> None:
    await put(database, call)
    job = await held(database)
    await put(database, call)
    assert await lease(database) is None
    async with database.session() as session:
        await repository.finish(session, job)
    await put(database, call)
    assert await lease(database) is None
    assert (await job_of(database, call.call_id)).state == JobState.DONE


@pytest.mark.guarantee("T1")
async def test_a_job_whose_lease_ended_is_taken_over_and_its_first_worker_changes_nothing(
    database: Database, call: SealedCall
) -> None:
    await put(database, call)
    dead = await held(database, OVER)
    alive = await held(database)
    assert (alive.attempt, alive.takeovers) == (2, 1)
    async with database.session() as session:
        with pytest.raises(LeaseLost):
            await repository.renew(session, dead, LONG)
        with pytest.raises(LeaseLost):
            await repository.release(session, dead, LONG, failed=True)
        with pytest.raises(LeaseLost):
            await repository.finish(session, dead)
    job = await job_of(database, call.call_id)
    assert (job.state, job.lease_id, job.failures) == (JobState.RUNNING, alive.lease_id, 0)


async def test_a_renewed_lease_is_not_taken_over(database: Database, call: SealedCall) -> None:
    await put(database, call)
    job = await held(database, OVER)
    async with database.session() as session:
        await repository.renew(session, job, LONG)
    assert await lease(database) is None


async def test_a_released_job_comes_back_when_its_wait_is_over(database: Database, call: SealedCall) -> None:
    await put(database, call)
    job = await held(database)
    async with database.session() as session:
        await repository.release(session, job, LONG, failed=True)
    assert await lease(database) is None
    async with database.session() as session:
        await (await session.connection()).execute(text("UPDATE jobs SET not_before = now()"))
    again = await held(database)
    assert (again.attempt, again.failures, again.takeovers) == (2, 1, 0)


async def test_a_job_that_failed_for_good_says_why(database: Database, call: SealedCall) -> None:
    await put(database, call)
    job = await held(database)
    async with database.session() as session:
        await repository.finish(session, job, reason="Unsupported media")
    found = await job_of(database, call.call_id)
    assert (found.state, found.reason, found.lease_id) == (JobState.FAILED, "Unsupported media", None)
    assert found.finished_at is not None


async def test_the_newest_wrapping_of_a_key_stays(database: Database, call: SealedCall) -> None:
    older = call.wrapped.model_copy(update={"version": 1, "kek_id": "old"})
    newer = call.wrapped.model_copy(update={"version": 2, "kek_id": "new"})
    for event in (newer, older, newer):
        async with database.session() as session:
            await repository.store_key(session, event)
    async with database.session() as session:
        assert (await session.exec(select(col(CallKey.kek_id)))).all() == ["new"]


async def test_jobs_are_counted_by_lane_and_state(database: Database, recordings: Recordings) -> None:
    for _ in range(3):
        await put(database, await recordings.add(b"any bytes"))
    await held(database)
    async with database.session() as session:
        depths = await repository.depths(session)
    found = {(depth.lane, depth.state): depth.jobs for depth in depths if depth.jobs}
    assert found == {(Lane.FRESH, JobState.QUEUED): 2, (Lane.FRESH, JobState.RUNNING): 1}
    assert len(depths) == len(Lane) * len(JobState)
