"""The index keys of tenants: made when they are first needed, wrapped at rest, unwrapped once and remembered.

A key is wrapped by its tenant's KEK in the context of its own id: no call's key opens there, and it opens
nothing of a call's. Whatever rewraps the keys of calls must rewrap `search_keys`, too; where it did not, the
key is lost, and the index is made anew (`Indexer`).
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.errors import IndexKeyLost
from otokura.access.search.hashes import IndexKey
from otokura.shared.errors import IntegrityError, NotFound
from otokura.shared.ids import uuid7
from otokura.shared.keys import KeyContext, KeyProvider, KeyUse, WrappedDek, new_dek

REMEMBERED = 1024
REMEMBERED_SECONDS = 3600.0
"""After that a key is unwrapped again: one whose KEK was destroyed is good no longer than this."""

_FIND = text("SELECT id, kek_id, wrapped FROM search_keys WHERE tenant_id = :tenant_id")
_ADD = text("""
    INSERT INTO search_keys (tenant_id, id, kek_id, wrapped, created_at)
    VALUES (:tenant_id, :id, :kek_id, :wrapped, clock_timestamp()) ON CONFLICT DO NOTHING
""")


class IndexKeys:
    """Unwraps index keys, and remembers those of the tenants that asked lately.

    Args:
        provider: wraps and unwraps.
        remembered: for how many tenants at most.
        seconds: for how long.
    """

    def __init__(
        self, provider: KeyProvider, remembered: int = REMEMBERED, seconds: float = REMEMBERED_SECONDS
    ) -> None:
        self._provider = provider
        self._remembered = remembered
        self._seconds = seconds
        self._keys: OrderedDict[UUID, tuple[float, IndexKey]] = OrderedDict()

    async def find(
        self, session: AsyncSession, tenant_id: UUID, use: KeyUse, reference: str
    ) -> IndexKey | None:
        """The tenant's key, if anything of it was ever indexed.

        Args:
            session: whose transaction looks which key is the tenant's now.
            tenant_id: the tenant.
            use: what the key is wanted for.
            reference: what justifies it.

        Raises:
            IndexKeyLost: the wrapped key was changed, or the key-encryption key is destroyed.
            Unavailable: the database or the key provider cannot be reached.
        """
        found = await (await session.connection()).execute(_FIND, {"tenant_id": tenant_id})
        row = found.mappings().one_or_none()
        return await self._unwrapped(tenant_id, dict(row), use, reference) if row is not None else None

    async def obtain(self, session: AsyncSession, tenant_id: UUID, reference: str) -> IndexKey:
        """The tenant's key for indexing, a new one if there is none. Raises what `find` raises."""
        found = await self.find(session, tenant_id, KeyUse.INDEX, reference)
        if found is not None:
            return found
        key_id = uuid7()
        wrapped = await self._provider.wrap(new_dek(), KeyContext(tenant_id, key_id))
        values = {"tenant_id": tenant_id, "id": key_id, "kek_id": wrapped.kek_id, "wrapped": wrapped.wrapped}
        await (await session.connection()).execute(_ADD, values)
        # Another worker may have been first: what counts is what stands there.
        found = await self.find(session, tenant_id, KeyUse.INDEX, reference)
        if found is None:
            raise AssertionError("a key was just added, or stood there already")
        return found

    async def _unwrapped(
        self, tenant_id: UUID, row: Mapping[str, Any], use: KeyUse, reference: str
    ) -> IndexKey:
        key_id: UUID = row["id"]
        known = self._keys.get(key_id)
        if known is not None and time.monotonic() < known[0]:
            self._keys.move_to_end(key_id)
            return known[1]
        wrapped = WrappedDek(row["kek_id"], row["wrapped"])
        try:
            secret = await self._provider.unwrap(wrapped, KeyContext(tenant_id, key_id), use, reference)
        except (IntegrityError, NotFound) as error:
            raise IndexKeyLost(key_id) from error
        key = IndexKey(tenant_id, key_id, secret)
        self._keys[key_id] = (time.monotonic() + self._seconds, key)
        self._keys.move_to_end(key_id)
        if len(self._keys) > self._remembered:
            self._keys.popitem(last=False)
        return key
