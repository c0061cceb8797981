"""Every query about zones."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.policy.models import ZoneRecord
from otokura.access.tenancy.models import Tenant


async def zones(session: AsyncSession, tenant_id: UUID) -> Sequence[ZoneRecord]:
    """All zones of a tenant, by name."""
    statement = select(ZoneRecord).where(ZoneRecord.tenant_id == tenant_id).order_by(col(ZoneRecord.name))
    return (await session.exec(statement)).all()


async def zone(
    session: AsyncSession, tenant_id: UUID, zone_id: UUID, *, lock: bool = False
) -> ZoneRecord | None:
    """A zone of a tenant; locked, nobody else changes it until the end."""
    statement = select(ZoneRecord).where(ZoneRecord.id == zone_id, ZoneRecord.tenant_id == tenant_id)
    return (await session.exec(statement.with_for_update() if lock else statement)).one_or_none()


async def room_for(session: AsyncSession, tenant_id: UUID, name: str) -> tuple[int, bool]:
    """How many zones the tenant has, and whether one has this name; nobody adds one until the end."""
    await session.exec(select(Tenant.id).where(Tenant.id == tenant_id).with_for_update())
    count = (await session.exec(select(func.count()).where(col(ZoneRecord.tenant_id) == tenant_id))).one()
    taken = select(ZoneRecord.id).where(ZoneRecord.tenant_id == tenant_id, ZoneRecord.name == name)
    return count, (await session.exec(taken)).first() is not None
