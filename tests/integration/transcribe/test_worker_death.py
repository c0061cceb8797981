"""Workers that die, are presumed dead, or lose their lease: the recording is transcribed once."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from otokura.shared.events import TranscriptCompleted, TranscriptFailed
from otokura.transcribe.models import JobState
from recordings import Recordings
from worker_support import (
    TINY,
    Scripted,
    due_now,
    job_of,
    published,
    put,
    work_off,
)

from .conftest import WorkerParts

pytestmark = [pytest.mark.postgres, pytest.mark.s3]


@pytest.mark.guarantee("T1")
async def test_a_worker_that_dies_is_succeeded_by_another(parts: WorkerParts, recordings: Recordings) -> None:
    call = await recordings.add(TINY)
    await put(parts.database, call)
    engine = Scripted()
    engine.go_on.clear()
    dying = asyncio.create_task(parts.worker(engine).step())
    await asyncio.wait_for(engine.begun.wait(), 30)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    assert (await job_of(parts.database, call)).state == JobState.RUNNING
    await due_now(parts.database)
    await work_off(parts.worker(Scripted()), parts.database)
    [event] = await published(parts.database, TranscriptCompleted)
    assert event.version == 2
    job = await job_of(parts.database, call)
    assert (job.state, job.takeovers, job.failures) == (JobState.DONE, 1, 0)


@pytest.mark.guarantee("T1")
async def test_a_worker_that_was_presumed_dead_changes_nothing_when_it_comes_back(
    parts: WorkerParts, recordings: Recordings
) -> None:
    call = await recordings.add(TINY)
    await put(parts.database, call)
    slow_engine = Scripted()
    slow_engine.go_on.clear()
    slow = asyncio.create_task(parts.worker(slow_engine).step())
    await asyncio.wait_for(slow_engine.begun.wait(), 30)
    await due_now(parts.database)
    await work_off(parts.worker(Scripted()), parts.database)
    slow_engine.go_on.set()
    assert await slow
    [event] = await published(parts.database, TranscriptCompleted)
    assert event.version == 2
    assert await recordings.transcripts_of(call) == [event.object]
    assert (await recordings.transcript(call, event)).turns


async def test_a_lost_lease_stops_the_work(parts: WorkerParts, recordings: Recordings) -> None:
    """With renewal the slow worker learns that it was succeeded, and does not listen to the end."""
    call = await recordings.add(TINY)
    await put(parts.database, call)
    engine = Scripted()
    engine.go_on.clear()
    slow = asyncio.create_task(parts.worker(engine, lease_seconds=3).step())
    await asyncio.wait_for(engine.begun.wait(), 30)
    other = parts.worker(Scripted())
    async with asyncio.timeout(60):
        await due_now(parts.database)
        while not await other.step():  # the slow one renewed its lease in between
            await due_now(parts.database)
        assert await slow
    assert engine.windows == 0
    assert len(await published(parts.database, TranscriptCompleted)) == 1


async def test_a_recording_over_which_workers_keep_dying_is_given_up(
    parts: WorkerParts, recordings: Recordings
) -> None:
    call = await recordings.add(TINY)
    await put(parts.database, call)
    async with parts.database.session() as session:
        await (await session.connection()).execute(text("UPDATE jobs SET takeovers = 4"))
    await work_off(parts.worker(Scripted(), max_takeovers=3), parts.database)
    [event] = await published(parts.database, TranscriptFailed)
    assert event.reason == "Too many workers died over this recording"
