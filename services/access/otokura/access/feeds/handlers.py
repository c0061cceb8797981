"""What happens to calls, as far as feeds are concerned: each event becomes rows, and workers do the rest.

Erasures reach feeds by `otokura.access.lifecycle.erasing`, in the transaction that erases.
"""

from __future__ import annotations

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.feeds import queue
from otokura.access.feeds.models import JobKind
from otokura.access.feeds.partials import version_of
from otokura.shared.consumer import EventContext, Subscription
from otokura.shared.events import ErasedKind, TranscriptCompleted, TranscriptPartial
from otokura.shared.tombstones import unless_erased


def subscriptions() -> list[Subscription]:
    """What feeds listen to, after the read model has taken it in."""
    return [
        Subscription(TranscriptCompleted, transcript_completed),
        Subscription(TranscriptPartial, transcript_partial),
    ]


@unless_erased(ErasedKind.TRANSCRIPT)
async def transcript_completed(
    session: AsyncSession, event: TranscriptCompleted, _context: EventContext
) -> None:
    """There is a transcript, or a newer one."""
    await queue.enqueue(session, event.tenant_id, event.call_id, JobKind.COMPLETED, event.version)


@unless_erased(ErasedKind.TRANSCRIPT)
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
