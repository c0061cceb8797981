"""Every query about holds, erasures and retention. Time is the database's clock.

A worker locks an item and then its call (`call_lifecycles`); who has a call's lock takes items only if nobody
has them. So no two ever wait for each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CursorResult, TextClause, text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.lifecycle.models import Erasure, Hold, Retention
from otokura.access.lifecycle.service import Standing, Wait
from otokura.access.lifecycle.views import RetentionRules
from otokura.shared.events import ErasedKind

HOLDING = "h.lifted_at IS NULL AND (h.ends_at IS NULL OR h.ends_at > clock_timestamp())"
_ENSURE = text("""
    INSERT INTO call_lifecycles (call_id, tenant_id) VALUES (:call_id, :tenant_id) ON CONFLICT DO NOTHING
""")
_LOCK = text("SELECT erasing_at FROM call_lifecycles WHERE call_id = :call_id FOR UPDATE")
# A hold without an end makes `held_until` null: coalesce would have it end some day.
_STANDING = text(f"""
    SELECT c.settled_at IS NOT NULL AS settled, c.started_at,
        EXISTS (SELECT 1 FROM holds h WHERE h.call_id = c.call_id AND {HOLDING}) AS held,
        (SELECT CASE WHEN bool_and(h.ends_at IS NOT NULL) THEN max(h.ends_at) END
         FROM holds h WHERE h.call_id = c.call_id AND {HOLDING}) AS held_until
    FROM calls c WHERE c.call_id = :call_id AND c.tenant_id = :tenant_id
""")  # noqa: S608 - constants
_BEGUN = text("""
    SELECT begun_at FROM call_erasures WHERE call_id = :call_id AND kind IN ('call', :kind) LIMIT 1
""")
_ERASED = text("""
    SELECT kind FROM call_erasures WHERE call_id = :call_id AND tenant_id = :tenant_id ORDER BY kind
""")
_LOOK_NOW = text("""
    UPDATE erasure_items SET look_at = clock_timestamp() WHERE (erasure_id, call_id) IN (
        SELECT erasure_id, call_id FROM erasure_items
        WHERE call_id = :call_id AND look_at IS NOT NULL FOR UPDATE SKIP LOCKED)
""")
_NEXT = text("""
    SELECT i.erasure_id, i.call_id, i.tenant_id, i.kind, e.ground, e.requested_at
    FROM erasure_items i JOIN erasures e ON e.id = i.erasure_id
    WHERE i.look_at <= clock_timestamp() ORDER BY i.look_at LIMIT 1 FOR UPDATE OF i SKIP LOCKED
""")
_POSTPONE = text("""
    UPDATE erasure_items SET waits_for = :waits_for, look_at = :until
    WHERE erasure_id = :erasure_id AND call_id = :call_id
""")
_DONE = text("""
    UPDATE erasure_items SET waits_for = NULL, look_at = NULL,
        begun_at = coalesce(:begun_at, clock_timestamp())
    WHERE erasure_id = :erasure_id AND call_id = :call_id
""")


async def execute(session: AsyncSession, statement: TextClause, **values: Any) -> CursorResult[Any]:
    """A statement in the session's transaction."""
    return await (await session.connection()).execute(statement, values)


async def lock_call(session: AsyncSession, tenant_id: UUID, call_id: UUID) -> datetime | None:
    """Locks the row that holds and erasures contend for, made if it is not there.

    Returns:
        When the erasure of the whole call began.
    """
    await execute(session, _ENSURE, call_id=call_id, tenant_id=tenant_id)
    erasing_at: datetime | None = (await execute(session, _LOCK, call_id=call_id)).scalar_one()
    return erasing_at


async def standing(session: AsyncSession, tenant_id: UUID, call_id: UUID) -> Standing | None:
    """What there is to know of a call, if the tenant has it."""
    found = await execute(session, _STANDING, call_id=call_id, tenant_id=tenant_id)
    row = found.one_or_none()
    return None if row is None else Standing(row.settled, row.started_at, row.held, row.held_until)


async def begun_at(session: AsyncSession, call_id: UUID, kind: ErasedKind) -> datetime | None:
    """When the erasure of this kind, or of the whole call, began."""
    begun: datetime | None = (await execute(session, _BEGUN, call_id=call_id, kind=kind.value)).scalar()
    return begun


async def erased(session: AsyncSession, tenant_id: UUID, call_id: UUID) -> list[ErasedKind]:
    """What of a call is erased, or has begun to be."""
    found = await execute(session, _ERASED, call_id=call_id, tenant_id=tenant_id)
    return [ErasedKind(kind) for kind in found.scalars()]


async def look_now(session: AsyncSession, call_id: UUID) -> None:
    """Has somebody look at once whether the call's erasures may begin; what is looked at already is."""
    await execute(session, _LOOK_NOW, call_id=call_id)


async def next_item(session: AsyncSession) -> Mapping[str, Any] | None:
    """The item that has been due for longest, locked."""
    row = (await execute(session, _NEXT)).mappings().one_or_none()
    return dict(row) if row is not None else None


async def postpone(session: AsyncSession, item: Mapping[str, Any], wait: Wait) -> None:
    """Notes what a locked item waits for."""
    which = {"erasure_id": item["erasure_id"], "call_id": item["call_id"]}
    await execute(session, _POSTPONE, **which, waits_for=wait.obstacle.value, until=wait.until)


async def conclude(session: AsyncSession, item: Mapping[str, Any], begun: datetime | None) -> None:
    """A locked item need not be looked at any more."""
    which = {"erasure_id": item["erasure_id"], "call_id": item["call_id"]}
    await execute(session, _DONE, **which, begun_at=begun)


async def holds(session: AsyncSession, tenant_id: UUID, call_id: UUID) -> Sequence[Hold]:
    """All holds of a call that there ever were, oldest first."""
    query = select(Hold).where(Hold.tenant_id == tenant_id, Hold.call_id == call_id).order_by(col(Hold.id))
    return (await session.exec(query)).all()


async def hold(session: AsyncSession, tenant_id: UUID, call_id: UUID, hold_id: UUID) -> Hold | None:
    """One of them."""
    found = await session.get(Hold, hold_id, populate_existing=True)
    return found if found and (found.tenant_id, found.call_id) == (tenant_id, call_id) else None


async def rules(session: AsyncSession, tenant_id: UUID) -> RetentionRules:
    """How long the tenant keeps what."""
    found = await session.get(Retention, tenant_id)
    return RetentionRules.model_validate(found.rules) if found else RetentionRules()


async def erasure(
    session: AsyncSession, tenant_id: UUID, erasure_id: UUID, *, lock: bool = False
) -> Erasure | None:
    """An erasure of a tenant's."""
    query = select(Erasure).where(Erasure.id == erasure_id, Erasure.tenant_id == tenant_id)
    return (await session.exec(query.with_for_update() if lock else query)).one_or_none()


async def newest(
    session: AsyncSession, tenant_id: UUID, before: UUID | None, limit: int
) -> Sequence[Erasure]:
    """A tenant's erasures, newest first: their ids (UUIDv7) are in the order of time."""
    query = select(Erasure).where(Erasure.tenant_id == tenant_id)
    if before is not None:
        query = query.where(col(Erasure.id) < before)
    return (await session.exec(query.order_by(col(Erasure.id).desc()).limit(limit))).all()
