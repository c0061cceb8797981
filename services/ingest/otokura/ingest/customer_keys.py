"""The keys of tenants who hold their own: wrapped for them at the sealing, then forgotten."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from typing import TypeVar

from sqlalchemy import update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.ingest.call_keys import CallKey
from otokura.ingest.models import Call
from otokura.ingest.service import Audio
from otokura.shared.audit import Action, AuditDraft
from otokura.shared.consumer import EventContext, Subscription
from otokura.shared.customer_keys import CustomerCopy, copy_for
from otokura.shared.directory import Directory
from otokura.shared.events import CallEvent, TranscriptCompleted, TranscriptFailed
from otokura.shared.outbox import publish_audit

T = TypeVar("T")


async def with_copy(directory: Directory, key: CallKey, outcome: T) -> T:
    """What was sealed, with the key for the tenant's own if the tenant has one now."""
    tenant = await directory.tenant(key.tenant_id)
    if not isinstance(outcome, Audio) or tenant is None or tenant.settings.customer_key is None:
        return outcome
    key_sha256, wrapped = copy_for(tenant.settings.customer_key, key.dek)
    return replace(outcome, customer_key=CustomerCopy(key_sha256=key_sha256, wrapped=b64encode(wrapped)))


def subscriptions() -> list[Subscription]:
    """The handlers that hear of transcripts, after which nothing here needs such a key."""
    return [Subscription(TranscriptCompleted, transcribed), Subscription(TranscriptFailed, transcribed)]


async def transcribed(
    session: AsyncSession, event: TranscriptCompleted | TranscriptFailed, _context: EventContext
) -> None:
    """The recording has been transcribed, or was given up: its key has served."""
    await hand_over(session, event)


async def hand_over(session: AsyncSession, event: CallEvent) -> None:
    """Destroys the key of a settled call whose customer holds it.

    By which key-encryption key it was wrapped stays known: with that its copies on topics and in backups end.
    """
    held = (
        col(Call.id) == event.call_id,
        col(Call.tenant_id) == event.tenant_id,
        col(Call.customer_key).is_not(None),
        col(Call.wrapped_dek) != b"",
    )
    forgotten = update(Call).where(*held).values(wrapped_dek=b"").returning(col(Call.id))
    if (await session.exec(forgotten)).one_or_none() is not None:
        await publish_audit(
            session,
            AuditDraft(action=Action.KEY_HANDED_OVER, tenant_id=event.tenant_id, call_id=event.call_id),
        )
