"""What happens to calls, as far as the index is concerned: events become rows, and workers do the rest."""

from __future__ import annotations

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.search import queue
from otokura.shared.consumer import EventContext, Subscription
from otokura.shared.events import CallErased, CallStarted, TranscriptCompleted


def subscriptions() -> list[Subscription]:
    """What the index listens to, after the read model has taken it in."""
    return [
        Subscription(CallStarted, call_started),
        Subscription(TranscriptCompleted, transcript_completed),
        Subscription(CallErased, call_erased),
    ]


async def call_started(session: AsyncSession, event: CallStarted, _context: EventContext) -> None:
    """What is known of a call has changed: if it is indexed already, it is indexed again."""
    await queue.again(session, event.tenant_id, event.call_id)


async def transcript_completed(
    session: AsyncSession, event: TranscriptCompleted, _context: EventContext
) -> None:
    """There is a transcript, or a newer one."""
    await queue.enqueue(session, event.tenant_id, event.call_id, event.version)


async def call_erased(session: AsyncSession, event: CallErased, _context: EventContext) -> None:
    """The call is gone from the index in the transaction that takes note of its erasure."""
    await queue.erase(session, event.tenant_id, event.call_id)
