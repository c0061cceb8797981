"""An event becomes deliveries: one row for each endpoint that wants it, in the transaction of the event."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.ingest.models import Call
from otokura.ingest.repository import now
from otokura.ingest.webhooks import payloads
from otokura.ingest.webhooks.models import Delivery, Webhook, WebhookEvent
from otokura.ingest.webhooks.payloads import Payload
from otokura.shared.consumer import EventContext, Subscription
from otokura.shared.events import TranscriptCompleted, TranscriptFailed
from otokura.shared.ids import uuid7


async def announce_settled(session: AsyncSession, call: Call) -> None:
    """Note whom to tell that a call is sealed, failed or empty."""
    event = WebhookEvent(f"call.{call.state}")
    await _announce(session, call, event, lambda: payloads.settled(call))


def subscriptions() -> list[Subscription]:
    """The handlers that hear of transcripts."""
    return [
        Subscription(TranscriptCompleted, _transcribed),
        Subscription(TranscriptFailed, _transcribed),
    ]


async def _transcribed(
    session: AsyncSession, event: TranscriptCompleted | TranscriptFailed, _context: EventContext
) -> None:
    """A transcript of a call that is not known here any more concerns nobody.

    Nor does one that could not be made again: the vendor was told of an earlier one, which stays.
    """
    if isinstance(event, TranscriptFailed) and event.request_id is not None:
        return
    # Locked, so that the call is not erased before this transaction ends, and told of after that.
    call = await session.get(Call, event.call_id, with_for_update={"key_share": True, "read": True})
    if call is not None and call.tenant_id == event.tenant_id:
        event_type = WebhookEvent.CALL_TRANSCRIBED
        await _announce(session, call, event_type, lambda: payloads.transcribed(call, event))


async def _announce(
    session: AsyncSession, call: Call, event: WebhookEvent, payload: Callable[[], Payload]
) -> None:
    """Most calls have no endpoint to tell: only for one is the payload made."""
    webhook_ids = await _interested(session, call, event)
    if not webhook_ids:
        return
    moment, body = await now(session), payload().text()
    session.add_all(
        Delivery(
            id=uuid7(),
            webhook_id=webhook_id,
            event=event,
            call_id=call.id,
            body=body,
            next_attempt_at=moment,
            created_at=moment,
        )
        for webhook_id in webhook_ids
    )
    await session.flush()


async def _interested(session: AsyncSession, call: Call, event: str) -> list[UUID]:
    """Endpoints of the client that recorded the call, disabled ones too: what they miss can be sent later.

    The lock lets everything pass but their deletion, so that none vanishes before this transaction ends: a
    call must settle whatever becomes of a webhook.
    """
    query = (
        select(Webhook.id)
        .where(
            col(Webhook.tenant_id) == call.tenant_id,
            col(Webhook.client_id) == call.client_id,
            col(Webhook.events).contains([event]),
        )
        .with_for_update(key_share=True, read=True)
    )
    return list((await session.exec(query)).all())
