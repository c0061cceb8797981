"""From a job to a stored transcript, and every way in which that goes wrong."""

from __future__ import annotations

import pytest

import speech
from otokura.shared.audit_entries import Action
from otokura.shared.database import Database
from otokura.shared.errors import Unavailable
from otokura.shared.events import TranscriptCompleted, TranscriptFailed
from otokura.shared.objects import ObjectStore
from otokura.transcribe.engine_process import EngineProcess
from otokura.transcribe.errors import EngineFailed
from otokura.transcribe.models import JobState
from otokura.transcribe.worker import Worker
from recordings import Recordings
from scoring import word_error_rate
from worker_support import (
    ENGLISH,
    TINY,
    Scripted,
    due_now,
    entries,
    job_of,
    published,
    put,
    silent_wav,
    work_off,
)

from .conftest import WorkerParts

pytestmark = [pytest.mark.postgres, pytest.mark.s3]


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
    assert transcript.signals is not None
    assert transcript.signals.reason is not None
    assert transcript.signals.reason.label == "defect"
    assert transcript.summary is not None
    assert transcript.summary.sentences

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
    """One channel, so that an attempt asks the engine once."""
    call = await recordings.add(silent_wav(1, channels=1), channels=1)
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
