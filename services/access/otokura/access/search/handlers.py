"""What happens to calls, as far as the index is concerned: events become rows, and workers do the rest."""

from __future__ import annotations

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.search import queue
from otokura.shared.consumer import EventContext, Subscription
from otokura.shared.events import CallStarted, ErasedKind, TranscriptCompleted
from otokura.shared.tombstones import unless_erased


def subscriptions() -> list[Subscription]:
    """What the index listens to, after the read model has taken it in."""
    return [
        Subscription(CallStarted, call_started),
        Subscription(TranscriptCompleted, transcript_completed),
    ]


@unless_erased()
async def call_started(session: AsyncSession, event: CallStarted, _context: EventContext) -> None:
    """What is known of a call has changed: if it is indexed already, it is indexed again."""
    await queue.again(session, event.tenant_id, event.call_id)


@unless_erased(ErasedKind.TRANSCRIPT)
async def transcript_completed(
    session: AsyncSession, event: TranscriptCompleted, _context: EventContext
) -> None:
    """There is a transcript, or a newer one."""
    await queue.enqueue(session, event.tenant_id, event.call_id, event.version)
