"""Every query about tenants."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.tenancy.models import Tenant


async def tenant(session: AsyncSession, tenant_id: UUID, *, lock: bool = False) -> Tenant:
    """A tenant that exists; with `lock`, nobody else changes it until the transaction ends."""
    statement = select(Tenant).where(Tenant.id == tenant_id)
    return (await session.exec(statement.with_for_update() if lock else statement)).one()


async def keep_a_way_in(session: AsyncSession, tenant_id: UUID) -> None:
    """Whoever takes from a tenant a way to administrate or to read waits here until others have done it.

    Comes before every other lock: what is counted then is what is left, also by who did the same at the same
    time. The tenant's row would not do: there are changes that have locked a principal when they come to it.
    """
    lock = func.pg_advisory_xact_lock(func.hashtext("ways-in"), func.hashtext(str(tenant_id)))
    await session.exec(select(lock))


async def name_is_taken(session: AsyncSession, name: str) -> bool:
    """Whether a tenant has this name. Until the transaction ends nobody else takes it."""
    await session.exec(select(func.pg_advisory_xact_lock(func.hashtext("tenants"), func.hashtext(name))))
    return (await session.exec(select(Tenant.id).where(Tenant.name == name))).first() is not None


async def tenants(session: AsyncSession) -> Sequence[Tenant]:
    """All tenants, oldest first."""
    return (await session.exec(select(Tenant).order_by(col(Tenant.id)))).all()
