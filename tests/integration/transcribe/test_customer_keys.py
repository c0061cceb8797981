"""A recording whose customer alone is to hold its key: transcribed once, and then nothing here opens it."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime

import pytest
from sqlalchemy import func
from sqlmodel import col, select

from access_calls import context_of
from otokura.shared.customer_keys import CustomerCopy
from otokura.shared.events import TranscriptCompleted, TranscriptionRequested
from otokura.shared.ids import uuid7
from otokura.transcribe import handlers
from otokura.transcribe.again import repository as again
from otokura.transcribe.models import CallKey, Job, JobState
from recordings import Recordings, SealedCall
from worker_support import TINY, Scripted, due_now, job_of, published

from .conftest import WorkerParts

pytestmark = [pytest.mark.postgres, pytest.mark.s3]


@pytest.fixture
async def held(parts: WorkerParts, recordings: Recordings) -> SealedCall:
    """As its events leave it."""
    call = await recordings.add(TINY)
    copy = CustomerCopy(key_sha256="0" * 64, wrapped=b64encode(b"for the customer"))
    sealed = call.sealed.model_copy(update={"customer_key": copy})
    async with parts.database.session() as session:
        await handlers.key_wrapped(session, call.wrapped, context_of(call.wrapped))
        await handlers.recording_sealed(session, sealed, context_of(sealed))
    return call


async def keys(parts: WorkerParts) -> int:
    async with parts.database.session() as session:
        return (await session.exec(select(func.count()).select_from(CallKey))).one()


@pytest.mark.guarantee("S26")
async def test_the_key_goes_with_the_transcript_and_does_not_come_back(
    parts: WorkerParts, held: SealedCall
) -> None:
    assert await keys(parts) == 1
    worker = parts.worker(Scripted())
    assert await worker.step()
    assert len(await published(parts.database, TranscriptCompleted)) == 1
    assert await keys(parts) == 0
    later = held.wrapped.model_copy(update={"version": 9})
    for event in (held.wrapped, later):
        async with parts.database.session() as session:
            await handlers.key_wrapped(session, event, context_of(event))
    assert await keys(parts) == 0
    assert not await worker.step()


@pytest.mark.guarantee("S26")
async def test_the_key_goes_with_a_recording_that_is_given_up(parts: WorkerParts, held: SealedCall) -> None:
    async with parts.database.session() as session:
        job = await session.get_one(Job, held.call_id)
        job.takeovers = 1000
    assert await parts.worker(Scripted()).step()
    assert (await job_of(parts.database, held)).state == JobState.FAILED
    assert await keys(parts) == 0
    async with parts.database.session() as session:
        assert not await again.revive(session, held.call_id)


async def test_it_is_not_asked_for_again(parts: WorkerParts, held: SealedCall) -> None:
    worker = parts.worker(Scripted())
    assert await worker.step()
    event = TranscriptionRequested(
        request_id=uuid7(), tenant_id=None, call_id=held.call_id, requested_at=datetime.now(UTC)
    )
    async with parts.database.session() as session:
        await again.add_request(session, event)
        jobs = (await session.exec(select(col(Job.id)))).all()
    assert list(jobs) == [held.call_id]
    await due_now(parts.database)
    assert not await worker.step()
