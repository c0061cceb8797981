"""Which job a worker takes next."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

import again_support
from otokura.shared.database import Database
from otokura.transcribe import repository
from otokura.transcribe.models import Lane
from otokura.transcribe.repository import LeasedJob
from recordings import Recordings, SealedCall
from worker_support import put

pytestmark = [pytest.mark.postgres, pytest.mark.s3]

LONG = timedelta(minutes=5)
MINUTE = 60_000


async def lease(
    database: Database, *models: str, prefer: Lane = Lane.FRESH, duration: timedelta = LONG
) -> LeasedJob | None:
    async with database.session() as session:
        return await repository.lease(session, duration, models=models, prefer=prefer)


async def order(database: Database, *, prefer: Lane = Lane.FRESH) -> list[object]:
    """The calls in the order in which workers take them."""
    found: list[object] = []
    while job := await lease(database, prefer=prefer):
        found.append(job.call_id)
        async with database.session() as session:
            await repository.finish(session, job, made_with="small int8")
    return found


async def queued(database: Database, recordings: Recordings, *minutes: int) -> list[SealedCall]:
    calls = [await recordings.add(b"any", duration_ms=length * MINUTE) for length in minutes]
    for call in calls:
        await put(database, call)
    return calls


@pytest.mark.guarantee("T70")
async def test_a_short_call_comes_before_a_long_one_that_came_first(
    database: Database, recordings: Recordings
) -> None:
    long, short = await queued(database, recordings, 240, 1)
    assert await order(database) == [short.call_id, long.call_id]


@pytest.mark.guarantee("T70")
async def test_a_long_call_that_has_waited_a_quarter_of_its_length_comes_before_new_short_ones(
    database: Database, recordings: Recordings
) -> None:
    [long] = await queued(database, recordings, 240)
    async with database.session() as session:
        earlier = text("UPDATE jobs SET rank = rank - interval '60 minutes'")
        await (await session.connection()).execute(earlier)
    [short] = await queued(database, recordings, 1)
    assert await order(database) == [long.call_id, short.call_id]


@pytest.mark.guarantee("T70")
async def test_fresh_calls_come_before_all_that_are_transcribed_again(
    database: Database, recordings: Recordings
) -> None:
    old = await queued(database, recordings, 1, 1)
    await order(database)
    await again_support.ask(database)
    [fresh] = await queued(database, recordings, 240)
    assert (await order(database))[0] == fresh.call_id
    await again_support.ask(database)
    [fresh] = await queued(database, recordings, 240)
    taken = await order(database, prefer=Lane.AGAIN)
    assert taken[-1] == fresh.call_id
    assert {call.call_id for call in old} < set(taken)


@pytest.mark.guarantee("T71")
async def test_only_a_worker_with_the_model_takes_a_job_that_asks_for_it(
    database: Database, recordings: Recordings
) -> None:
    [call] = await queued(database, recordings, 1)
    await order(database)
    await again_support.ask(database, model="large")
    assert await lease(database) is None
    assert await lease(database, "small int8", "small") is None
    job = await lease(database, "large int8", "large")
    assert job is not None
    assert (job.call_id, job.version) == (call.call_id, 2)


@pytest.mark.guarantee("T72")
async def test_two_workers_never_hold_two_jobs_of_one_recording(
    database: Database, recordings: Recordings
) -> None:
    await queued(database, recordings, 1, 1)
    await order(database)
    for model in ("large", "medium", "tiny"):
        await again_support.ask(database, model=model)
    models = ("large", "medium", "tiny")
    held = [job for job in await asyncio.gather(*(lease(database, *models) for _ in range(8))) if job]
    assert len({job.call_id for job in held}) == len(held) == 2
    for one in held:
        async with database.session() as session:
            await repository.release(session, one, timedelta(), failed=False)
    versions = [job.version for job in held]
    while job := await lease(database, *models):
        versions.append(job.version)
        async with database.session() as session:
            await repository.finish(session, job)
    assert sorted(versions) == [2, 2, 3, 3, 4, 4, 5, 5]


async def test_a_recording_is_not_transcribed_again_before_it_was_transcribed(
    database: Database, recordings: Recordings
) -> None:
    [call] = await queued(database, recordings, 1)
    await again_support.ask(database)
    first = await lease(database, prefer=Lane.AGAIN)
    assert first is not None
    assert (first.id, first.request_id) == (call.call_id, None)
    assert await lease(database, prefer=Lane.AGAIN) is None
    async with database.session() as session:
        await repository.finish(session, first)
    second = await lease(database)
    assert second is not None
    assert second.request_id is not None
