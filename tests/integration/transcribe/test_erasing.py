"""An erased call leaves nothing in transcribe, also when it is erased in the middle of its transcription."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import text

from erasures import GONE, requested
from live_calls import LiveCall
from otokura.shared.consumer import EventContext
from otokura.shared.database import Database
from otokura.shared.directory import Directory
from otokura.shared.erasing import Eraser, erase
from otokura.shared.errors import NotFound
from otokura.shared.events import (
    ErasedKind,
    ErasureApplied,
    ErasureRequested,
    EventData,
    TranscriptCompleted,
    TranscriptFailed,
    TranscriptionRequested,
)
from otokura.shared.ids import uuid7
from otokura.shared.keys import LocalKeyProvider
from otokura.transcribe import handlers, repository
from otokura.transcribe.again.handlers import transcription_requested
from otokura.transcribe.erasing import TranscribePart
from otokura.transcribe.live.opening import open_call
from recordings import Recordings, SealedCall
from worker_support import TINY, Scripted, published, put, work_off

from .conftest import WorkerParts

pytestmark = [pytest.mark.postgres, pytest.mark.s3]
TABLES = GONE["transcribe"]
PART = TranscribePart("transcripts")


def context(event: EventData) -> EventContext:
    return EventContext(uuid7(), "test", event.TYPE, datetime.now(UTC), event.TOPIC, 0, 0, 1)


async def forget(database: Database, event: ErasureRequested) -> None:
    async with database.session() as session:
        await erase(session, event, PART)


async def replay(database: Database, call: SealedCall) -> None:
    """Every event that tells transcribe of a call, once more."""
    asked = TranscriptionRequested(
        request_id=uuid7(),
        tenant_id=call.manifest.tenant_id,
        model=None,
        call_id=call.call_id,
        since=None,
        until=None,
        requested_at=datetime.now(UTC),
    )
    for handler, event in (
        (handlers.key_wrapped, call.wrapped),
        (handlers.recording_sealed, call.sealed),
        (transcription_requested, asked),
    ):
        async with database.session() as session:
            await handler(session, event, context(event))  # type: ignore[arg-type] # each has its own


async def rows(database: Database, call_id: UUID) -> dict[str, int]:
    counted: dict[str, int] = {}
    async with database.session() as session:
        for table in TABLES:
            query = text(f"SELECT count(*) FROM {table} WHERE call_id = :id")  # noqa: S608 - constants
            counted[table] = (await (await session.connection()).execute(query, {"id": call_id})).scalar_one()
    return counted


def of(call: SealedCall, kind: ErasedKind = ErasedKind.CALL) -> ErasureRequested:
    return requested(call.call_id, call.manifest.tenant_id, kind)


@pytest.mark.guarantee("Z2")
@pytest.mark.guarantee("Z3")
async def test_every_version_goes_and_no_event_brings_anything_back(
    parts: WorkerParts, recordings: Recordings
) -> None:
    call, other = await recordings.add(TINY), await recordings.add(TINY)
    await put(parts.database, call)
    await put(parts.database, other)
    worker = parts.worker(Scripted())
    await work_off(worker, parts.database)
    await replay(parts.database, call)
    await work_off(worker, parts.database)
    assert len(await recordings.transcripts_of(call)) == 2
    event = of(call)
    await forget(parts.database, event)
    assert await Eraser(parts.database, parts.store, PART).step()
    assert await recordings.transcripts_of(call) == []
    await replay(parts.database, call)
    assert await rows(parts.database, call.call_id) == dict.fromkeys(TABLES, 0)
    assert not await worker.step()
    [applied] = await published(parts.database, ErasureApplied)
    assert applied.counts["objects"] == 2
    assert (applied.counts["jobs"], applied.counts["call_keys"]) == (2, 1)
    assert applied.kek_ids == [call.wrapped.kek_id]
    assert len(await recordings.transcripts_of(other)) == 1


@pytest.mark.guarantee("Z2")
async def test_a_call_that_is_erased_while_it_is_transcribed_gets_no_transcript(
    parts: WorkerParts, recordings: Recordings
) -> None:
    call = await recordings.add(TINY)
    await put(parts.database, call)
    engine = Scripted()
    engine.go_on.clear()
    working = asyncio.create_task(parts.worker(engine).step())
    await asyncio.wait_for(engine.begun.wait(), 30)
    await forget(parts.database, of(call))
    assert await Eraser(parts.database, parts.store, PART).step()
    engine.go_on.set()
    assert await working
    assert await recordings.transcripts_of(call) == []
    assert await published(parts.database, TranscriptCompleted) == []
    assert await published(parts.database, TranscriptFailed) == []
    assert await rows(parts.database, call.call_id) == dict.fromkeys(TABLES, 0)


@pytest.mark.guarantee("Z3")
async def test_what_a_writer_puts_late_is_found_by_a_second_look(
    parts: WorkerParts, recordings: Recordings
) -> None:
    call = await recordings.add(TINY)
    event = of(call)
    await forget(parts.database, event)
    eraser = Eraser(parts.database, parts.store, PART)
    assert await eraser.step()
    await parts.store.put("transcripts", f"transcripts/{event.tenant_id}/{event.call_id}/7", b"late")
    assert not await eraser.step()
    async with parts.database.session() as session:
        await (await session.connection()).execute(text("UPDATE tombstones SET sweep_at = now()"))
    assert await eraser.step()
    assert await recordings.transcripts_of(call) == []
    assert not await eraser.step()
    assert len(await published(parts.database, ErasureApplied)) == 1


async def test_of_a_recording_alone_the_transcript_stays(parts: WorkerParts, recordings: Recordings) -> None:
    call = await recordings.add(TINY)
    await put(parts.database, call)
    await work_off(parts.worker(Scripted()), parts.database)
    await forget(parts.database, of(call, ErasedKind.RECORDING))
    assert await Eraser(parts.database, parts.store, PART).step()
    assert len(await recordings.transcripts_of(call)) == 1
    await replay(parts.database, call)
    assert await rows(parts.database, call.call_id) == dict.fromkeys(TABLES, 0)


@pytest.mark.guarantee("Z2")
async def test_live_text_of_an_erased_call_is_not_taken_up(
    parts: WorkerParts, keys: LocalKeyProvider
) -> None:
    live = LiveCall("en-support", keys)
    await forget(parts.database, requested(live.call_id, live.tenant_id))
    async with parts.database.session() as session:
        await repository.store_key(session, await live.key())
    with pytest.raises(NotFound):
        await open_call(parts.database, keys, Directory(parts.database), live.chunk(0, 0, b"\x7f" * 800))
    assert (await rows(parts.database, live.call_id))["live_progress"] == 0
