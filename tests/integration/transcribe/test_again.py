"""Recordings that are transcribed again: every version stays, and it is told how far it has come."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import col, select

from again_support import ask, context_of, request, tell
from otokura.shared.audit_entries import Action
from otokura.shared.database import Database
from otokura.shared.dead_letters import Burial
from otokura.shared.events import (
    TranscriptCompleted,
    TranscriptFailed,
    TranscriptionProgressed,
    TranscriptionRetried,
)
from otokura.shared.ids import uuid7
from otokura.shared.messaging_models import OutboxRow
from otokura.transcribe.again import handlers, repository
from otokura.transcribe.errors import EngineFailed
from otokura.transcribe.models import Job, JobState, Lane
from recordings import AT, Recordings, SealedCall
from worker_support import TINY, Scripted, entries, job_of, published, put, work_off

from .conftest import WorkerParts

pytestmark = [pytest.mark.postgres, pytest.mark.s3]


async def transcribed(parts: WorkerParts, recordings: Recordings, calls: int = 1) -> list[SealedCall]:
    """Calls that have their first transcript."""
    made = [await recordings.add(TINY) for _ in range(calls)]
    for call in made:
        await put(parts.database, call)
    await work_off(parts.worker(Scripted()), parts.database)
    return made


async def jobs_of(database: Database, request_id: UUID) -> list[Job]:
    async with database.session() as session:
        return list((await session.exec(select(Job).where(col(Job.request_id) == request_id))).all())


async def progress(database: Database) -> list[TranscriptionProgressed]:
    await tell(database)
    return await published(database, TranscriptionProgressed)


@pytest.mark.guarantee("T73")
async def test_a_new_version_stands_beside_the_old_one(parts: WorkerParts, recordings: Recordings) -> None:
    [call] = await transcribed(parts, recordings)
    request_id = await ask(parts.database)
    engine = Scripted(EngineFailed())
    await work_off(parts.worker(engine), parts.database)
    old, new = await published(parts.database, TranscriptCompleted)
    assert (old.version, old.request_id) == (1, None)
    assert (new.version, new.request_id) == (3, request_id)
    assert await recordings.transcripts_of(call) == sorted([old.object, new.object])
    for event in (old, new):
        assert (await recordings.transcript(call, event)).turns
    made = [entry.action for entry in await entries(parts.database)]
    assert made == [Action.RECORDING_TRANSCRIBED, Action.RECORDING_TRANSCRIBED]


@pytest.mark.guarantee("T71")
async def test_a_request_that_arrives_twice_makes_one_job_for_each_recording(
    parts: WorkerParts, recordings: Recordings
) -> None:
    calls = await transcribed(parts, recordings, 3)
    event = request()
    for _ in range(2):
        async with parts.database.session() as session:
            await handlers.transcription_requested(session, event, context_of(event))
    jobs = await jobs_of(parts.database, event.request_id)
    assert sorted(job.call_id for job in jobs) == sorted(call.call_id for call in calls)
    assert {(job.lane, job.state) for job in jobs} == {(Lane.AGAIN, JobState.QUEUED)}
    assert await jobs_of(parts.database, await ask(parts.database)) == [], "they wait for the same already"


@pytest.mark.guarantee("T71")
async def test_what_a_model_has_transcribed_is_not_transcribed_by_it_again(
    parts: WorkerParts, recordings: Recordings
) -> None:
    await transcribed(parts, recordings)
    assert await jobs_of(parts.database, await ask(parts.database, model="none")) == []
    assert len(await jobs_of(parts.database, await ask(parts.database, model="large"))) == 1
    assert len(await jobs_of(parts.database, await ask(parts.database))) == 1


async def test_only_what_is_described_is_taken(parts: WorkerParts, recordings: Recordings) -> None:
    one, other = await transcribed(parts, recordings, 2)
    hour = timedelta(hours=1)

    async def found(**about: Any) -> set[UUID]:
        jobs = await jobs_of(parts.database, await ask(parts.database, model=str(uuid7()), **about))
        return {job.call_id for job in jobs}

    both = {one.call_id, other.call_id}
    assert await found(tenant_id=one.manifest.tenant_id) == {one.call_id}
    assert await found(call_id=other.call_id) == {other.call_id}
    assert await found(call_id=other.call_id, tenant_id=one.manifest.tenant_id) == set()
    assert await found(since=AT, until=AT + hour) == both
    assert await found(since=AT + hour) == set()
    assert await found(until=AT) == set()


@pytest.mark.guarantee("T71")
async def test_progress_is_told_until_nothing_is_left(parts: WorkerParts, recordings: Recordings) -> None:
    await transcribed(parts, recordings, 2)
    request_id = await ask(parts.database)
    worker = parts.worker(Scripted())
    assert [(told.queued, told.done, told.version) for told in await progress(parts.database)] == [(2, 0, 1)]
    assert len(await progress(parts.database)) == 1, "nothing new is not told"
    assert await worker.step()
    await progress(parts.database)
    assert await worker.step()
    told = await progress(parts.database)
    assert [(one.queued, one.done, one.version) for one in told] == [(2, 0, 1), (1, 1, 2), (0, 2, 3)]
    assert {(one.request_id, one.failed, one.running) for one in told} == {(request_id, 0, 0)}


@pytest.mark.guarantee("T71")
async def test_a_model_that_no_worker_has_is_said_to_be_missing(
    parts: WorkerParts, recordings: Recordings
) -> None:
    await transcribed(parts, recordings)
    await ask(parts.database, model="large")
    async with parts.database.session() as session:
        await repository.say_alive(session, uuid7(), ["small int8", "small"])
        assert await repository.unserved(session, await repository.models_at_work(session)) == 1
    [told] = await progress(parts.database)
    assert (told.queued, told.model_available) == (1, False)
    async with parts.database.session() as session:
        await repository.say_alive(session, uuid7(), ["large int8", "large"])
        assert await repository.unserved(session, await repository.models_at_work(session)) == 0
    assert [one.model_available for one in await progress(parts.database)] == [False, True]


@pytest.mark.guarantee("T74")
async def test_a_job_that_is_given_up_lies_among_the_dead_letters_and_can_be_begun_anew(
    parts: WorkerParts, recordings: Recordings
) -> None:
    call = await recordings.add(TINY)
    await put(parts.database, call)
    engine = Scripted(*[EngineFailed("The engine broke.")] * 9)
    worker = parts.worker(engine, max_failures=2)
    await work_off(worker, parts.database)
    [failed] = await published(parts.database, TranscriptFailed)
    assert (failed.call_id, failed.reason) == (call.call_id, "Speech recognition failed")

    async with parts.database.session() as session:
        [row] = (await session.exec(select(OutboxRow).where(OutboxRow.kind == "dead-letter"))).all()
    burial, event = Burial.from_json(row.data)
    why = f"Call {call.call_id}: Speech recognition failed: The engine broke."
    assert (burial.group, burial.error, burial.attempts) == ("otokura-transcribe", why, 2)
    retried = TranscriptionRetried.model_validate_json(event)
    assert (row.topic, retried.call_id, retried.job_id) == ("otokura.requests", call.call_id, call.call_id)
    engine.failures.clear()
    for _ in range(2):
        async with parts.database.session() as session:
            await handlers.transcription_retried(session, retried, context_of(retried))
    await work_off(worker, parts.database)
    [completed] = await published(parts.database, TranscriptCompleted)
    assert completed.version == 3
    assert (await job_of(parts.database, call)).state == JobState.DONE


async def test_a_version_that_cannot_be_made_leaves_the_old_one(
    parts: WorkerParts, recordings: Recordings
) -> None:
    [call] = await transcribed(parts, recordings)
    request_id = await ask(parts.database)
    await work_off(parts.worker(Scripted(*[EngineFailed()] * 9), max_failures=1), parts.database)
    [failed] = await published(parts.database, TranscriptFailed)
    assert (failed.request_id, failed.version) == (request_id, 2)
    [completed] = await published(parts.database, TranscriptCompleted)
    assert await recordings.transcripts_of(call) == [completed.object]
    assert [(one.failed, one.queued) for one in await progress(parts.database)] == [(1, 0)]
