"""Every query about grants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.grants.models import GrantRecord, GrantUse
from otokura.access.identity.models import PrincipalRecord


@dataclass(frozen=True, slots=True)
class GrantFilter:
    """Which grants of a tenant; None: any. `concerning` is who gave them or was given them."""

    concerning: UUID | None = None
    call_id: UUID | None = None
    reader_id: UUID | None = None
    before: UUID | None = None


async def given(
    session: AsyncSession, grant_id: UUID, reader_id: UUID, call_id: UUID
) -> tuple[GrantRecord, bool, datetime] | None:
    """A grant that was given to a reader for a call, whether its giver is disabled, and the time."""
    statement = (
        select(GrantRecord, col(PrincipalRecord.disabled_at).is_not(None), func.now())
        .join(PrincipalRecord, col(PrincipalRecord.id) == col(GrantRecord.given_by))
        .where(GrantRecord.id == grant_id, GrantRecord.reader_id == reader_id, GrantRecord.call_id == call_id)
    )
    return (await session.exec(statement)).one_or_none()


async def locked(session: AsyncSession, grant_id: UUID) -> tuple[GrantRecord, datetime]:
    """A grant that exists: nobody else uses or revokes it until the end. And the time, after any waiting."""
    statement = select(GrantRecord).where(GrantRecord.id == grant_id).with_for_update()
    grant = (await session.exec(statement)).one()
    at: datetime = (await session.exec(select(func.clock_timestamp()))).one()
    return grant, at


async def use(session: AsyncSession, grant_id: UUID, read_id: UUID) -> GrantUse | None:
    """The use of a grant under a `read_id`."""
    return await session.get(GrantUse, (grant_id, read_id))


async def grant(
    session: AsyncSession, tenant_id: UUID, grant_id: UUID, *, lock: bool = False
) -> GrantRecord | None:
    """A grant of a tenant; locked, nobody else uses or revokes it until the end."""
    statement = select(GrantRecord).where(GrantRecord.id == grant_id, GrantRecord.tenant_id == tenant_id)
    return (await session.exec(statement.with_for_update() if lock else statement)).one_or_none()


async def principal(session: AsyncSession, tenant_id: UUID, principal_id: UUID) -> PrincipalRecord | None:
    """A principal of a tenant; not locked, for two people may give each other something at once."""
    statement = select(PrincipalRecord).where(
        PrincipalRecord.id == principal_id, PrincipalRecord.tenant_id == tenant_id
    )
    return (await session.exec(statement)).one_or_none()


async def newest(
    session: AsyncSession, tenant_id: UUID, wanted: GrantFilter, limit: int
) -> Sequence[GrantRecord]:
    """Grants of a tenant, newest first: their ids (UUIDv7) are in the order of time."""
    statement = select(GrantRecord).where(GrantRecord.tenant_id == tenant_id)
    if wanted.concerning is not None:
        mine = (col(GrantRecord.given_by), col(GrantRecord.reader_id))
        statement = statement.where(or_(*(column == wanted.concerning for column in mine)))
    if wanted.call_id is not None:
        statement = statement.where(GrantRecord.call_id == wanted.call_id)
    if wanted.reader_id is not None:
        statement = statement.where(GrantRecord.reader_id == wanted.reader_id)
    if wanted.before is not None:
        statement = statement.where(col(GrantRecord.id) < wanted.before)
    return (await session.exec(statement.order_by(col(GrantRecord.id).desc()).limit(limit))).all()
