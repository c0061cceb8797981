"""Where a service keeps wrapped keys, and that nothing is kept under a key-encryption key that is retired."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any, TypeAlias, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, Table, Text, and_, any_, func, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.shared.consumer_handling import EventContext, Subscription
from otokura.shared.events import KeysRotated
from otokura.shared.keys import WrappedDek
from otokura.shared.rewrapping_tables import REWRAP_LOCK, retired_keks, rewrappings

KeyRow: TypeAlias = "Row[Any, Any, UUID, str, bytes]"
"""Owner, context, tenant, kek_id and wrapped."""


def table_of(model: type[SQLModel]) -> Table:
    """The table of a model."""
    return model.metadata.tables[cast("str", model.__tablename__)]


@dataclass(frozen=True, slots=True)
class WrappedKeys:
    """A table that keeps wrapped keys; its column `kek_id` says which key-encryption key wrapped each.

    Attributes:
        table: the table.
        owner: the column, unique, with what the key belongs to.
        wrapped: the column with the wrapped key.
        tenant: whose it is, where the table has no column `tenant_id`.
        renewed: called in the transaction that stored a key anew, with its owner.
        by_events: these are copies, and events renew them.
        context: the column with the call of its `KeyContext`, where that is not the owner.
    """

    table: Table
    owner: str
    wrapped: str = "wrapped"
    tenant: ColumnElement[UUID] | None = None
    renewed: Callable[[AsyncSession, UUID], Awaitable[None]] | None = None
    by_events: bool = False
    context: str | None = None

    def under(self, kek_ids: Collection[str]) -> ColumnElement[bool]:
        """Whether a row has a key under one of these; an empty one was destroyed."""
        # One array, however many tenants there are: a list of parameters would have a limit.
        named = self.table.c.kek_id == any_(literal(sorted(kek_ids), ARRAY(Text)))
        return and_(named, self.table.c[self.wrapped] != b"")

    def rows(self) -> Select[Any, Any, UUID, str, bytes]:
        """All rows, as owner, context, tenant, kek_id and wrapped."""
        tenant = self.table.c.tenant_id if self.tenant is None else self.tenant
        return select(
            self.table.c[self.owner].label("owner"),
            self.table.c[self.context or self.owner].label("context"),
            tenant.label("tenant_id"),
            self.table.c.kek_id,
            self.table.c[self.wrapped].label("wrapped"),
        )


def subscriptions() -> list[Subscription]:
    """What a service's consumer listens to for rotations."""
    return [Subscription(KeysRotated, keys_rotated)]


async def keys_rotated(session: AsyncSession, event: KeysRotated, _context: EventContext) -> None:
    """Notes that there is work."""
    await hear(session, event.rotation_id, event.kek_id)


async def hear(session: AsyncSession, rotation_id: UUID, kek_id: str | None) -> None:
    """Leaves work for the service's `Rewrapper`; a rotation that is known stays as it is."""
    row = {"rotation_id": rotation_id, "kek_id": kek_id, "version": 0}
    await (await session.connection()).execute(insert(rewrappings).values(row).on_conflict_do_nothing())


async def is_retired(session: AsyncSession, kek_id: str) -> bool:
    """Whether nothing may be stored under this key any more; the answer holds until the transaction ends.

    For keys that events bring: what an old event says of a retired key, a newer one behind it says anew.
    """
    connection = await session.connection()
    await connection.execute(select(func.pg_advisory_xact_lock_shared(REWRAP_LOCK)))
    found = select(literal(1)).where(retired_keks.c.kek_id == kek_id)
    return await connection.scalar(found) is not None


async def replace(session: AsyncSession, keys: WrappedKeys, row: KeyRow, wrapped: WrappedDek) -> bool:
    """Stores a key anew, if the row is still as it was read; whether it was."""
    table = keys.table
    as_read = (
        table.c[keys.owner] == row.owner,
        table.c.kek_id == row.kek_id,
        table.c[keys.wrapped] == row.wrapped,
    )
    values = {"kek_id": wrapped.kek_id, keys.wrapped: wrapped.wrapped}
    return (
        await (await session.connection()).execute(update(table).where(*as_read).values(values))
    ).rowcount > 0
