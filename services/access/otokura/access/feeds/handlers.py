"""What happens to calls, as far as feeds are concerned: each event becomes rows, and workers do the rest."""

from __future__ import annotations

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.feeds import queue
from otokura.access.feeds.models import JobKind
from otokura.access.feeds.partials import version_of
from otokura.shared.consumer import EventContext, Subscription
from otokura.shared.events import CallErased, TranscriptCompleted, TranscriptPartial


def subscriptions() -> list[Subscription]:
    """What feeds listen to, after the read model has taken it in."""
    return [
        Subscription(TranscriptCompleted, transcript_completed),
        Subscription(TranscriptPartial, transcript_partial),
        Subscription(CallErased, call_erased),
    ]


async def transcript_completed(
    session: AsyncSession, event: TranscriptCompleted, _context: EventContext
) -> None:
    """There is a transcript, or a newer one."""
    await queue.enqueue(session, event.tenant_id, event.call_id, JobKind.COMPLETED, event.version)


async def transcript_partial(session: AsyncSession, event: TranscriptPartial, _context: EventContext) -> None:
    """Live text; what is not published yet gives way to it."""
    await queue.enqueue(
        session,
        event.tenant_id,
        event.call_id,
        JobKind.PARTIAL,
        version_of(event),
        announced=event.model_dump_json(),
    )


async def call_erased(session: AsyncSession, event: CallErased, _context: EventContext) -> None:
    """Nothing more of the call is published, and every feed that had it is told."""
    await queue.enqueue_erasure(session, event.tenant_id, event.call_id, event.erased_at)
