"""Tombstones: which calls are erased, so that nothing that comes late brings anything of them back.

The event that asks for an erasure and one that would add a row may be handled at the same moment. Whoever
adds rows of a call takes the call's lock shared and then looks; whoever erases takes it alone. So an addition
is either committed before the erasure deletes, or sees the tombstone. Locks end with their transactions.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import wraps
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Column, DateTime, Index, Text, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.shared.consumer_handling import EventContext
from otokura.shared.events import CallEvent, ErasedKind, ErasureRequested

E = TypeVar("E", bound=CallEvent)
Handler = Callable[[AsyncSession, E, EventContext], Awaitable[None]]

_LOCK_SPACE = 0x45524153
"""First half of the two-part advisory locks of calls."""
_LOCK_SHARED = text("SELECT pg_advisory_xact_lock_shared(:space, hashtext(CAST(:call_id AS text)))")
_LOCK_ALONE = text("SELECT pg_advisory_xact_lock(:space, hashtext(CAST(:call_id AS text)))")
_KNOWN = text(
    "SELECT EXISTS (SELECT 1 FROM tombstones WHERE call_id = CAST(:call_id AS uuid) AND kind = ANY(:kinds))"
)
_LAY = text("""
    INSERT INTO tombstones (call_id, kind, tenant_id, erasure_id, requested_at, shredded_at, counts, kek_ids,
        sweep_at)
    VALUES (:call_id, :kind, :tenant_id, :erasure_id, :requested_at, clock_timestamp(), '{}', '{}',
        clock_timestamp())
    ON CONFLICT DO NOTHING RETURNING shredded_at
""")


class TombstoneTable(SQLModel, registry=registry()):
    """Base of the one table here: a metadata of its own, so that services' tables never collide."""


class Tombstone(TombstoneTable, table=True):
    """A call, or a kind of what there was of it, that is erased here. Ids and numbers only; it stays."""

    __tablename__ = "tombstones"  # pyright: ignore[reportAssignmentType] - as SQLModel documents it
    __table_args__ = (Index("ix_tombstones_due", "sweep_at", postgresql_where=text("sweep_at IS NOT NULL")),)

    call_id: UUID = Field(primary_key=True)
    kind: str = Field(sa_type=Text, primary_key=True)
    tenant_id: UUID
    erasure_id: UUID
    requested_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    shredded_at: datetime = Field(
        sa_column=Column(DateTime(timezone=True), nullable=False, server_default=func.now())
    )
    """When the rows, and with a whole call its wrapped key, went."""
    counts: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    kek_ids: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    applied_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))
    """When the objects were gone, and everybody was told."""
    sweep_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))
    """When objects are to be looked for (again); None: there can be none any more."""


tombstone_metadata = TombstoneTable.metadata


async def is_erased(session: AsyncSession, call_id: UUID, *kinds: ErasedKind) -> bool:
    """Whether a call, or one of these kinds of what there is of it, is erased.

    If it is not, it will not be before the session's transaction ends.
    """
    connection = await session.connection()
    # Two statements: what the second sees must be what is committed once the lock is had.
    await connection.execute(_LOCK_SHARED, {"space": _LOCK_SPACE, "call_id": str(call_id)})
    wanted = [kind.value for kind in (ErasedKind.CALL, *kinds)]
    return bool(await connection.scalar(_KNOWN, {"call_id": str(call_id), "kinds": wanted}))


async def lay(session: AsyncSession, event: ErasureRequested) -> datetime | None:
    """Lays a tombstone; nobody adds anything of the call from here on.

    Returns:
        When, by the database's clock; None if there was one.
    """
    connection = await session.connection()
    await connection.execute(_LOCK_ALONE, {"space": _LOCK_SPACE, "call_id": str(event.call_id)})
    told = event.model_dump(include={"call_id", "tenant_id", "erasure_id", "requested_at"})
    shredded_at: datetime | None = await connection.scalar(_LAY, {**told, "kind": event.kind.value})
    return shredded_at


async def note(
    session: AsyncSession, event: ErasureRequested, counts: Mapping[str, int], kek_ids: list[str]
) -> None:
    """Writes on a tombstone what went with it."""
    stone = await session.get_one(Tombstone, (event.call_id, event.kind.value))
    stone.counts, stone.kek_ids = dict(counts), kek_ids
    session.add(stone)
    await session.flush()


def unless_erased(*kinds: ErasedKind) -> Callable[[Handler[E]], Handler[E]]:
    """Decorates the handler of an event that adds something of a call: of an erased one it adds nothing.

    Args:
        kinds: whose erasure, beside that of the whole call, leaves nothing to add.
    """

    def decorate(handler: Handler[E]) -> Handler[E]:
        @wraps(handler)
        async def guarded(session: AsyncSession, event: E, context: EventContext) -> None:
            if not await is_erased(session, event.call_id, *kinds):
                await handler(session, event, context)

        return guarded

    return decorate
