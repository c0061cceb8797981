"""What transcribe tells of requests."""

from __future__ import annotations

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.transcriptions import repository
from otokura.shared.consumer import EventContext, Subscription
from otokura.shared.events import TranscriptionProgressed


def subscriptions() -> list[Subscription]:
    """What access's consumer listens to for requests."""
    return [Subscription(TranscriptionProgressed, transcription_progressed)]


async def transcription_progressed(
    session: AsyncSession, event: TranscriptionProgressed, _context: EventContext
) -> None:
    """How far a request has come."""
    await repository.note_progress(session, event)
