"""Keys that only their customer keeps: destroyed here as soon as the recording is transcribed.

Or when it, or its text, is erased: nothing is transcribed of it after that, and nothing is left to be read.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.shared.audit_entries import Action, AuditDraft
from otokura.shared.events import CallEvent
from otokura.shared.outbox import publish_audit

_SERVED = """
    c.call_id = :call_id AND c.tenant_id = :tenant_id AND c.customer_key IS NOT NULL
    AND (c.recording_erased_at IS NOT NULL OR c.transcript_erased_at IS NOT NULL
        OR EXISTS (SELECT 1 FROM transcripts x
            WHERE x.call_id = c.call_id AND (x.event IS NOT NULL OR x.failure IS NOT NULL)))
"""
_IS_HANDED_OVER = text(f"SELECT 1 FROM calls c WHERE {_SERVED}")  # noqa: S608 - a constant
_HAND_OVER = text(f"""
    DELETE FROM call_keys k USING calls c WHERE k.call_id = c.call_id AND {_SERVED}
    RETURNING k.call_id
""")  # noqa: S608 - made of constants
_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('handing-over'), hashtext(:call_id))")


async def one_at_a_time(session: AsyncSession, event: CallEvent) -> None:
    """Until the transaction ends no other event decides about this call's key."""
    await (await session.connection()).execute(_LOCK, {"call_id": str(event.call_id)})


async def is_handed_over(session: AsyncSession, event: CallEvent) -> bool:
    """Whether the call's key has been destroyed here, and must not come back with an old event."""
    return await (await session.connection()).scalar(_IS_HANDED_OVER, _whose(event)) is not None


async def hand_over(session: AsyncSession, event: CallEvent) -> None:
    """Destroys the call's key if its customer holds it and it has served; after all that may decide it."""
    if await (await session.connection()).scalar(_HAND_OVER, _whose(event)) is not None:
        await publish_audit(
            session,
            AuditDraft(action=Action.KEY_HANDED_OVER, call_id=event.call_id, tenant_id=event.tenant_id),
        )


def _whose(event: CallEvent) -> dict[str, UUID]:
    return {"call_id": event.call_id, "tenant_id": event.tenant_id}
