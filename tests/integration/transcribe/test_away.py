"""What a job needs goes away while it is under way, or was never there: a clear end, and nothing lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from sqlalchemy import delete
from sqlmodel import col

import servers
from messaging import eventually, key_is, read_topic, running, settings_of
from otokura.shared.database import Database
from otokura.shared.events import Topic, TranscriptCompleted, TranscriptFailed
from otokura.shared.kafka import Producer, decode, ensure_topics
from otokura.shared.messaging_models import OutboxRow
from otokura.shared.objects import ObjectStore
from otokura.shared.outbox import OutboxRelay
from otokura.transcribe.engine import Description
from otokura.transcribe.errors import EngineAbsent
from otokura.transcribe.models import JobState
from otokura.transcribe.worker import Worker
from recordings import Recordings, SealedCall
from tcp_line import TcpLine, tcp_line
from worker_support import TINY, Scripted, due_now, job_of, published, put, work_off

from .conftest import WorkerParts

pytestmark = [pytest.mark.postgres, pytest.mark.s3]


@pytest.fixture
async def call(parts: WorkerParts, recordings: Recordings) -> SealedCall:
    """A recording that waits to be transcribed."""
    made = await recordings.add(TINY)
    await put(parts.database, made)
    return made


@pytest.fixture
def database_line(database_url: str) -> Iterator[tuple[TcpLine, str]]:
    """A line to the database, and the database's address at its end."""
    port = urlsplit(database_url).port
    assert port is not None
    with tcp_line(port) as line:
        yield line, database_url.replace(f":{port}/", f":{line.port}/")


@pytest.fixture
async def store_line(
    object_store: servers.ObjectStoreSettings,
) -> AsyncIterator[tuple[TcpLine, ObjectStore]]:
    """A line to the store, and the store at its end."""
    with tcp_line(urlsplit(object_store.endpoint).port or 0) as line:
        store = ObjectStore(f"http://127.0.0.1:{line.port}", object_store.access_key, object_store.secret_key)
        yield line, store
        await store.close()


async def begun(worker: Worker, engine: Scripted) -> asyncio.Task[bool]:
    """A job that the worker is in the middle of."""
    engine.go_on.clear()
    step = asyncio.create_task(worker.step())
    await asyncio.wait_for(engine.begun.wait(), 60)
    return step


async def check_one_transcript(parts: WorkerParts, recordings: Recordings, call: SealedCall) -> None:
    [event] = await published(parts.database, TranscriptCompleted)
    assert await recordings.transcripts_of(call) == [event.object]
    assert (await recordings.transcript(call, event)).turns
    assert await published(parts.database, TranscriptFailed) == []
    assert (await job_of(parts.database, call)).failures == 0


@pytest.mark.guarantee("T72")
async def test_a_database_that_goes_away_in_the_middle_costs_no_transcript_and_makes_no_second(
    parts: WorkerParts,
    recordings: Recordings,
    call: SealedCall,
    database_line: tuple[TcpLine, str],
) -> None:
    line, url = database_line
    database, engine = Database(url), Scripted()
    worker = replace(parts, database=database).worker(engine)
    step = await begun(worker, engine)
    line.cut()
    engine.go_on.set()
    assert await step, "the job was taken, and is left to its lease"
    assert await published(parts.database, TranscriptCompleted) == []
    line.mend()
    await due_now(parts.database)
    await eventually(worker.step)
    await database.close()
    await check_one_transcript(parts, recordings, call)


@pytest.mark.guarantee("T72")
async def test_a_store_that_goes_away_in_the_middle_costs_no_transcript_and_counts_as_no_failure(
    parts: WorkerParts,
    recordings: Recordings,
    call: SealedCall,
    store_line: tuple[TcpLine, ObjectStore],
) -> None:
    line, store = store_line
    engine = Scripted()
    worker = parts.worker(engine, store=store, max_failures=1)
    step = await begun(worker, engine)
    line.cut()
    engine.go_on.set()
    assert await step
    assert (await job_of(parts.database, call)).state == JobState.QUEUED
    line.mend()
    await due_now(parts.database)
    await work_off(worker, parts.database)
    await check_one_transcript(parts, recordings, call)


@pytest.mark.kafka
@pytest.mark.guarantee("T72")
async def test_a_transcript_that_is_completed_while_the_broker_is_away_is_told_of_when_it_is_back(
    parts: WorkerParts, recordings: Recordings, call: SealedCall
) -> None:
    with servers.kafka(lasting=True) as kafka:
        broker = settings_of(kafka)
        await ensure_topics(broker, [Topic.TRANSCRIPTS])
        engine = Scripted()
        step = await begun(parts.worker(engine), engine)
        kafka.kill()
        engine.go_on.set()
        assert await step
        await check_one_transcript(parts, recordings, call)
        await asyncio.to_thread(kafka.start)
        producer = Producer(broker)
        relay = OutboxRelay(parts.database, producer, None, "otokura/transcribe")
        async with parts.database.session() as session:
            # Its audit entry needs a writer with a key, which is another test's.
            await session.exec(delete(OutboxRow).where(col(OutboxRow.kind) == "audit"))
        async with running(relay.run()):
            [told] = await read_topic(broker, Topic.TRANSCRIPTS, key_is(call.call_id), 1)
        await producer.stop()
    assert decode(told).parse(TranscriptCompleted).version == 1


@pytest.mark.guarantee("T75")
async def test_a_recording_whose_key_is_shredded_has_failed_and_says_so(
    parts: WorkerParts, recordings: Recordings
) -> None:
    shredded = await recordings.add(TINY)
    shredded.wrapped.__dict__["kek_id"] = "local:destroyed"
    await put(parts.database, shredded)
    engine = Scripted()
    await work_off(parts.worker(engine), parts.database)
    job = await job_of(parts.database, shredded)
    assert (job.state, job.attempts, engine.windows) == (JobState.FAILED, 1, 0)
    [event] = await published(parts.database, TranscriptFailed)
    assert event.reason == job.reason
    assert await recordings.transcripts_of(shredded) == []


@pytest.mark.guarantee("T75")
async def test_without_a_model_no_recording_is_taken_and_none_is_blamed(
    parts: WorkerParts, call: SealedCall
) -> None:
    class Absent(Scripted):
        async def describe(self) -> Description:
            raise EngineAbsent("The model whisper-large is not there.")

    with pytest.raises(EngineAbsent, match="whisper-large"):
        await parts.worker(Absent()).step()
    job = await job_of(parts.database, call)
    assert (job.state, job.attempts) == (JobState.QUEUED, 0)


@pytest.mark.guarantee("T75")
async def test_an_engine_that_is_gone_in_the_middle_and_does_not_start_again_counts_as_no_failure(
    parts: WorkerParts, recordings: Recordings, call: SealedCall
) -> None:
    gone = [EngineAbsent("The model whisper-large is not there.")] * 2
    await work_off(parts.worker(Scripted(*gone), max_failures=1), parts.database)
    await check_one_transcript(parts, recordings, call)
