"""Every query about rotations of key-encryption keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.rotations.models import KeyRotation

_LOCK = text("LOCK TABLE key_rotations IN EXCLUSIVE MODE")


async def open_rotation(session: AsyncSession) -> KeyRotation | None:
    """The rotation that is not finished. Until the transaction ends nobody else begins one."""
    await (await session.connection()).execute(_LOCK)
    query = select(KeyRotation).where(col(KeyRotation.destroyed_at).is_(None))
    return (await session.exec(query)).one_or_none()


async def rotation(session: AsyncSession, rotation_id: UUID, *, lock: bool = False) -> KeyRotation | None:
    """A rotation; with `lock`, nobody else changes it until the transaction ends."""
    query = select(KeyRotation).where(KeyRotation.id == rotation_id)
    return (await session.exec(query.with_for_update() if lock else query)).one_or_none()


async def newest(session: AsyncSession, before: UUID | None, limit: int) -> Sequence[KeyRotation]:
    """Rotations, newest first: their ids (UUIDv7) are in the order of time."""
    query = select(KeyRotation)
    if before is not None:
        query = query.where(col(KeyRotation.id) < before)
    return (await session.exec(query.order_by(col(KeyRotation.id).desc()).limit(limit))).all()


async def final_at(session: AsyncSession, shredded_at: datetime) -> datetime | None:
    """When every copy of a wrapped key that was shredded then had become useless; None while it is not so.

    That is when the first rotation after it has destroyed the keys before it.
    """
    query = select(func.min(KeyRotation.destroyed_at)).where(col(KeyRotation.rotated_at) > shredded_at)
    found: datetime | None = (await session.exec(query)).one()
    return found
