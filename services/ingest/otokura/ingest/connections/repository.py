"""Every query about connections."""

from __future__ import annotations

from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.ingest.connections.models import StoredConnection
from otokura.ingest.connections.views import Dialect


async def find(session: AsyncSession, client_id: UUID, dialect: Dialect) -> StoredConnection | None:
    """What the client registered for the dialect, if anything."""
    return await session.get(StoredConnection, (client_id, dialect.value))


async def lock(session: AsyncSession, client_id: UUID, dialect: Dialect) -> StoredConnection | None:
    """The same, and nobody else changes it until the transaction ends."""
    query = (
        select(StoredConnection)
        .where(col(StoredConnection.client_id) == client_id, col(StoredConnection.dialect) == dialect.value)
        .with_for_update()
    )
    return (await session.exec(query)).one_or_none()


async def of_client(session: AsyncSession, client_id: UUID) -> list[StoredConnection]:
    """All of the client's, by dialect."""
    query = (
        select(StoredConnection)
        .where(col(StoredConnection.client_id) == client_id)
        .order_by(col(StoredConnection.dialect))
    )
    return list((await session.exec(query)).all())
