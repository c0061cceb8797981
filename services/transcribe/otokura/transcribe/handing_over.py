"""Keys that only their customer keeps: destroyed here with the end of the recording's first job."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import delete
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.shared.audit import Action, AuditDraft
from otokura.shared.outbox import publish_audit
from otokura.transcribe.models import CallKey, Job, Recording


async def is_handed_over(session: AsyncSession, call_id: UUID) -> bool:
    """Whether the call's key has been destroyed here, and must not come back with an old event.

    Locks the recording, as the end of a job does: no event brings a key back between the two.
    """
    held = select(col(Recording.call_id)).where(
        col(Recording.call_id) == call_id, col(Recording.customer_holds_key)
    )
    if (await session.exec(held.with_for_update())).one_or_none() is None:
        return False
    over = select(col(Job.id)).where(col(Job.id) == call_id, col(Job.finished_at).is_not(None))
    return (await session.exec(over)).one_or_none() is not None


async def hand_over(session: AsyncSession, tenant_id: UUID, call_id: UUID) -> None:
    """Destroys the key of a call whose customer holds it; its first job has just been finished."""
    locked = select(Recording).where(col(Recording.call_id) == call_id).with_for_update()
    recording = (await session.exec(locked)).one_or_none()
    if recording is None or not recording.customer_holds_key:
        return
    gone = delete(CallKey).where(col(CallKey.call_id) == call_id).returning(col(CallKey.call_id))
    if (await session.exec(gone)).one_or_none() is not None:
        draft = AuditDraft(action=Action.KEY_HANDED_OVER, tenant_id=tenant_id, call_id=call_id)
        await publish_audit(session, draft)
