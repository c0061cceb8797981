"""From a job to a stored transcript, and every way in which that goes wrong."""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import col, select

import speech
from otokura.shared.audit_entries import Action, AuditDraft
from otokura.shared.database import Database
from otokura.shared.errors import Unavailable
from otokura.shared.events import TranscriptCompleted, TranscriptFailed
from otokura.shared.messaging_models import OutboxRow
from otokura.shared.objects import ObjectStore
from otokura.transcribe.engine import Description, HeardWord, Pcm16, Segment
from otokura.transcribe.engine_process import EngineProcess
from otokura.transcribe.errors import EngineFailed
from otokura.transcribe.models import Job, JobState
from otokura.transcribe.worker import Worker
from recordings import Recordings, SealedCall, enqueue
from scoring import word_error_rate

from .conftest import WorkerParts

pytestmark = [pytest.mark.postgres, pytest.mark.s3]

ENGLISH = (speech.CALLS / "en-support.wav").read_bytes()


def silent_wav(seconds: int) -> bytes:
    """A two-channel telephone recording in which nobody speaks."""
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(4 * 8000 * seconds))
    return content.getvalue()


TINY = silent_wav(1)


class Scripted:
    """A `RemoteEngine` that fails as often as it is told to, and then hears one word a window."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.windows = 0
        self.vocabulary: Sequence[str] = ()
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.languages_used: list[str] = []

    async def describe(self) -> Description:
        return Description(name="scripted", model="none", languages=frozenset({"en", "ja"}))

    async def languages(self, audio: Pcm16) -> dict[str, float]:
        return {"en": 1.0} if audio.size else {}

    async def hear(self, audio: Pcm16, language: str, vocabulary: Sequence[str] = ()) -> list[Segment]:
        self.vocabulary = vocabulary
        self.begun.set()
        await self.go_on.wait()
        if self.failures:
            raise self.failures.pop(0)
        self.windows += 1
        self.languages_used.append(language)
        word = HeardWord(text=" word", start_ms=0, end_ms=len(audio) // 16, confidence=1)
        return [Segment(words=[word], avg_logprob=0, no_speech_prob=0, compression_ratio=1)]


async def put(database: Database, call: SealedCall) -> None:
    async with database.session() as session:
        await enqueue(session, call)


async def job_of(database: Database, call: SealedCall) -> Job:
    async with database.session() as session:
        return await session.get_one(Job, call.call_id)


async def due_now(database: Database) -> None:
    """Lets waits and leases be over."""
    async with database.session() as session:
        connection = await session.connection()
        await connection.execute(
            text("UPDATE jobs SET not_before = now(), lease_until = now() - interval '1 s'")
        )


async def published(database: Database, kind: type[Any]) -> list[Any]:
    async with database.session() as session:
        rows = (await session.exec(select(OutboxRow).order_by(col(OutboxRow.id)))).all()
    return [kind.model_validate_json(row.data) for row in rows if row.type == getattr(kind, "TYPE", None)]


async def entries(database: Database) -> list[AuditDraft]:
    async with database.session() as session:
        rows = (await session.exec(select(OutboxRow).where(OutboxRow.kind == "audit"))).all()
    return [AuditDraft.model_validate_json(row.data) for row in rows]


async def work_off(worker: Worker, database: Database) -> None:
    while await worker.step():
        await due_now(database)


@pytest.mark.guarantee("T1")
@pytest.mark.guarantee("T6")
async def test_a_recording_becomes_an_encrypted_transcript_and_one_event(
    parts: WorkerParts, recordings: Recordings, engine: EngineProcess
) -> None:
    call = await recordings.add(ENGLISH, duration_ms=74_095)
    await put(parts.database, call)
    worker = parts.worker(engine)
    assert await worker.step()
    assert not await worker.step()

    [event] = await published(parts.database, TranscriptCompleted)
    transcript = await recordings.transcript(call, event)
    said = " ".join(turn["text"] for turn in speech.script("en-support")["turns"])
    assert word_error_rate(said, " ".join(turn.text for turn in transcript.turns)) <= 0.10
    assert (transcript.call_id, transcript.language, transcript.duration_ms) == (call.call_id, "en", 74_095)
    assert transcript.engine.startswith("faster-whisper")
    assert [turn.role for turn in transcript.turns[:2]] == ["agent", "customer"]

    assert (event.turns, event.words) == (len(transcript.turns), sum(len(t.words) for t in transcript.turns))
    assert "customer support" not in event.model_dump_json()
    [entry] = await entries(parts.database)
    assert (entry.action, entry.call_id) == (Action.RECORDING_TRANSCRIBED, call.call_id)
    assert entry.detail["plaintext_sha256"] == event.plaintext_sha256
    assert (await job_of(parts.database, call)).state == JobState.DONE
    stored = await parts.store.get(event.bucket, event.object)
    assert b"customer" not in stored


async def test_the_announced_language_is_used(parts: WorkerParts, recordings: Recordings) -> None:
    engine = Scripted()
    await put(parts.database, await recordings.add(TINY, language="ja"))
    await work_off(parts.worker(engine), parts.database)
    assert set(engine.languages_used) == {"ja"}


async def test_a_language_that_the_engine_does_not_know_is_found_out(
    parts: WorkerParts, recordings: Recordings
) -> None:
    engine = Scripted()
    await put(parts.database, await recordings.add(TINY, language="xx"))
    await work_off(parts.worker(engine), parts.database)
    assert set(engine.languages_used) == {"en"}


@pytest.mark.guarantee("T3")
async def test_an_engine_that_fails_is_asked_again(parts: WorkerParts, recordings: Recordings) -> None:
    call = await recordings.add(TINY)
    await put(parts.database, call)
    worker = parts.worker(Scripted(EngineFailed(), RuntimeError("defect")))
    await work_off(worker, parts.database)
    [event] = await published(parts.database, TranscriptCompleted)
    assert event.version == 3
    assert (await job_of(parts.database, call)).failures == 2


async def test_what_the_engine_always_fails_is_given_up_and_says_so(
    parts: WorkerParts, recordings: Recordings
) -> None:
    call = await recordings.add(TINY)
    await put(parts.database, call)
    worker = parts.worker(Scripted(*[EngineFailed("The engine broke.")] * 9), max_failures=3)
    await work_off(worker, parts.database)
    [event] = await published(parts.database, TranscriptFailed)
    assert (event.call_id, event.reason) == (call.call_id, "Speech recognition failed")
    assert await published(parts.database, TranscriptCompleted) == []
    assert (await job_of(parts.database, call)).attempts == 3


async def test_a_store_that_is_away_never_costs_the_transcript(
    parts: WorkerParts, recordings: Recordings
) -> None:
    call = await recordings.add(TINY)
    await put(parts.database, call)
    away = ObjectStore("http://127.0.0.1:9", "nobody", "nothing")
    engine = Scripted()
    without = parts.worker(engine, store=away, max_failures=1)
    for _ in range(2):
        assert await without.step()
        await due_now(parts.database)
    await away.close()
    job = await job_of(parts.database, call)
    assert (job.state, job.failures) == (JobState.QUEUED, 0)
    await work_off(parts.worker(engine), parts.database)
    assert len(await published(parts.database, TranscriptCompleted)) == 1


@pytest.mark.guarantee("T7")
@pytest.mark.parametrize("tampered", ["recording", "key", "swapped"])
async def test_what_was_tampered_with_is_not_transcribed(
    parts: WorkerParts, recordings: Recordings, tampered: str
) -> None:
    call, other = await recordings.add(TINY), await recordings.add(TINY)
    where = call.manifest.recording
    if tampered == "key":
        changed = bytearray(call.wrapped.wrapped)
        changed[20] ^= 1
        call.wrapped.__dict__["wrapped"] = bytes(changed)
    elif tampered == "recording":
        stored = bytearray(await parts.store.get(where.bucket, where.name))
        stored[len(stored) // 2] ^= 1
        await parts.store.put(where.bucket, where.name, bytes(stored))
    else:
        stranger = await parts.store.get(where.bucket, other.manifest.recording.name)
        await parts.store.put(where.bucket, where.name, stranger)
    await put(parts.database, call)
    engine = Scripted()
    await work_off(parts.worker(engine), parts.database)
    [event] = await published(parts.database, TranscriptFailed)
    assert event.reason == "Stored data failed its integrity check"
    assert engine.windows == 0
    assert await recordings.transcripts_of(call) == []


@pytest.mark.parametrize("file", [b"this is a text file, not audio", b"RIFF" + bytes(40)])
async def test_a_recording_that_is_no_audio_is_given_up_at_once(
    parts: WorkerParts, recordings: Recordings, file: bytes
) -> None:
    call = await recordings.add(file)
    await put(parts.database, call)
    await work_off(parts.worker(Scripted()), parts.database)
    [event] = await published(parts.database, TranscriptFailed)
    assert event.reason == "Unsupported media"
    assert (await job_of(parts.database, call)).attempts == 1


async def test_a_recording_that_was_erased_is_given_up(parts: WorkerParts, recordings: Recordings) -> None:
    call = await recordings.add(TINY)
    await parts.store.delete(call.manifest.recording.bucket, call.manifest.recording.name)
    await put(parts.database, call)
    await work_off(parts.worker(Scripted()), parts.database)
    assert len(await published(parts.database, TranscriptFailed)) == 1


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
    await due_now(parts.database)
    await work_off(parts.worker(Scripted()), parts.database)
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


async def test_a_channel_count_other_than_the_manifests_is_an_integrity_error(
    parts: WorkerParts, recordings: Recordings
) -> None:
    await put(parts.database, await recordings.add(TINY, channels=1))
    await work_off(parts.worker(Scripted()), parts.database)
    [event] = await published(parts.database, TranscriptFailed)
    assert event.reason == "Stored data failed its integrity check"


@pytest.mark.guarantee("T2")
async def test_a_call_in_which_nobody_speaks_has_an_empty_transcript(
    parts: WorkerParts, recordings: Recordings, engine: EngineProcess
) -> None:
    call = await recordings.add(TINY)
    await put(parts.database, call)
    await work_off(parts.worker(engine), parts.database)
    [event] = await published(parts.database, TranscriptCompleted)
    assert (event.turns, event.words, event.characters, event.language) == (0, 0, 0, "und")
    assert (await recordings.transcript(call, event)).turns == []


async def test_a_database_that_is_away_is_said_to_be(parts: WorkerParts) -> None:
    gone = Database("postgresql+asyncpg://nobody:nothing@127.0.0.1:9/none")
    worker = Worker(gone, parts.worker(Scripted())._transcriber, parts.worker(Scripted())._settings)
    with pytest.raises(Unavailable):
        await worker.step()
    await gone.close()
