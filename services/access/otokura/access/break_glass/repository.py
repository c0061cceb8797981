"""Every query about broken glass."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.break_glass.models import BreakGlass


async def glass(session: AsyncSession, tenant_id: UUID, glass_id: UUID) -> BreakGlass | None:
    """What was asked for in a tenant; locked until the transaction ends."""
    statement = select(BreakGlass).where(BreakGlass.id == glass_id, BreakGlass.tenant_id == tenant_id)
    return (await session.exec(statement.with_for_update())).one_or_none()


async def clock(session: AsyncSession) -> datetime:
    """The time, after any waiting for a lock."""
    at: datetime = (await session.exec(select(func.clock_timestamp()))).one()
    return at


async def last_of(session: AsyncSession, asker: UUID) -> BreakGlass | None:
    """What somebody asked for last."""
    statement = select(BreakGlass).where(BreakGlass.asked_by == asker)
    return (await session.exec(statement.order_by(col(BreakGlass.id).desc()).limit(1))).first()


async def newest(
    session: AsyncSession, tenant_id: UUID, asker: UUID | None, before: UUID | None, limit: int
) -> Sequence[BreakGlass]:
    """What was asked for in a tenant, by somebody or by all, newest first (UUIDv7)."""
    statement = select(BreakGlass).where(BreakGlass.tenant_id == tenant_id)
    if asker is not None:
        statement = statement.where(BreakGlass.asked_by == asker)
    if before is not None:
        statement = statement.where(col(BreakGlass.id) < before)
    return (await session.exec(statement.order_by(col(BreakGlass.id).desc()).limit(limit))).all()
