"""What is done with requests to transcribe again: they become jobs, and nothing else."""

from __future__ import annotations

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.shared.consumer import EventContext, Subscription
from otokura.shared.events import TranscriptionRequested, TranscriptionRetried
from otokura.shared.logs import get_logger
from otokura.transcribe.again import repository

log = get_logger(__name__)


def subscriptions() -> list[Subscription]:
    """What is asked of transcribe."""
    return [
        Subscription(TranscriptionRequested, transcription_requested),
        Subscription(TranscriptionRetried, transcription_retried),
    ]


async def transcription_requested(
    session: AsyncSession, event: TranscriptionRequested, _context: EventContext
) -> None:
    """Queues the recordings that are asked for."""
    await repository.add_request(session, event)


async def transcription_retried(
    session: AsyncSession, event: TranscriptionRetried, _context: EventContext
) -> None:
    """Queues a job that was given up once more: its dead letter was replayed."""
    if not await repository.revive(session, event.job_id):
        log.info("nothing to retry", call_id=str(event.call_id), job_id=str(event.job_id))
