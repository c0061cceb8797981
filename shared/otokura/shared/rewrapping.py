"""A service's part in a rotation of key-encryption keys: every key that it keeps is wrapped again.

`KeysRotated` leaves a row; one instance at a time works on it in small batches while all go on serving. A key
is taken out, wrapped by the new key-encryption key, proven to open, and put back if the row is still as it
was. Copies that events brought are renewed by further events of the service that made them, so each of those
follows the older ones of its call, however far behind a consumer is.

Finished is: no row is under an old key, and none will be. The last look and the note that the old keys are
retired are one transaction, which no transaction that stores a wrapped key overlaps; from then on a trigger
refuses such rows. Whatever is interrupted is begun again where it stands.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.shared.database import Database
from otokura.shared.errors import IntegrityError, NotFound, Unavailable
from otokura.shared.events import KeyHolder, KeysRewrapped
from otokura.shared.keys import Keks, KeyContext, KeyProvider, KeyUse, WrappedDek
from otokura.shared.logs import get_logger
from otokura.shared.outbox import publish
from otokura.shared.rewrapping_tables import REWRAP_LOCK, retired_keks, rewrappings
from otokura.shared.wrapped_keys import KeyRow, WrappedKeys, replace

log = get_logger(__name__)

BATCH = 100
_WORK_LOCK = 0x6F746F6B_75726104
"""Advisory lock key: "otokura" and 4."""
_LOOK_SECONDS = 1.0
_PAUSE_SECONDS = 0.2
"""Between batches: at most 500 keys a second, so that the events of new calls are not held up by them."""
_MOST_UNSENT = 500
_TELL_SECONDS = 5.0
_LOCK_TIMEOUT = "1s"
"""Transactions that store a wrapped key wait behind ours for so long at most."""
_NOT_AVAILABLE = "55P03"

_UNSENT = text("SELECT count(*) FROM outbox WHERE sent_at IS NULL")
_LOCK = select(func.pg_advisory_xact_lock(REWRAP_LOCK))


@dataclass(frozen=True, slots=True)
class _Rotation:
    id: UUID
    kek_id: str | None
    version: int
    told: dict[str, Any] | None
    settled: bool


class Rewrapper:
    """Works on the rotations that a service has heard of.

    Args:
        database: the service's.
        provider: wraps anew.
        service: which it is.
        tables: all tables of the service that keep wrapped keys.
        tenants: selects the ids of the tenants that the service knows.
        settle: how long another instance may go on wrapping with the old key after a rotation was heard of.
    """

    def __init__(
        self,
        database: Database,
        provider: KeyProvider,
        service: KeyHolder,
        tables: Sequence[WrappedKeys],
        tenants: Select[Any],
        settle: timedelta,
    ) -> None:
        self._database = database
        self._provider = provider
        self._service: KeyHolder = service
        self._tables = tables
        self._tenants = tenants
        self._settle = settle
        self._told_at = float("-inf")
        self._old: tuple[UUID, frozenset[str]] | None = None

    async def run(self) -> None:
        """Works for ever; what is away is waited for."""
        while True:
            try:
                await self.step()
            except Unavailable as away:
                log.warning("rewrapping.postponed", error=str(away))
            await asyncio.sleep(_LOOK_SECONDS)

    async def step(self) -> None:
        """One pass over all that is to be done for the oldest rotation that is not finished.

        Raises:
            Unavailable: the database or the key provider is away, or the new key is not known here yet.
        """
        if await self._open_rotation() is None:
            return
        async with self._alone() as alone:
            rotation = await self._open_rotation() if alone else None
            if rotation is None:
                return
            old = await self._old_of(rotation)
            unreadable = 0
            for keys in self._tables:
                if not keys.by_events:
                    unreadable += await self._rewrap(rotation, keys, old)
            if unreadable or not rotation.settled or not await self._finish(rotation, old):
                await self._tell(rotation, old, unreadable)

    async def _open_rotation(self) -> _Rotation | None:
        settled = func.clock_timestamp() >= rewrappings.c.heard_at + self._settle
        query = (
            select(rewrappings, settled.label("settled"))
            .where(rewrappings.c.finished_at.is_(None))
            .order_by(rewrappings.c.heard_at, rewrappings.c.rotation_id)
            .limit(1)
        )
        async with self._database.session() as session:
            row = (await (await session.connection()).execute(query)).one_or_none()
        if row is None:
            return None
        return _Rotation(row.rotation_id, row.kek_id, row.version, row.told, row.settled)

    @asynccontextmanager
    async def _alone(self) -> AsyncGenerator[bool]:
        """Whether no other instance works on it; none begins to before the block ends."""
        async with self._database.reading() as connection:
            try:
                yield bool(await connection.scalar(select(func.pg_try_advisory_lock(_WORK_LOCK))))
            finally:
                # Not back into the pool: closing it is what gives the lock up.
                await connection.invalidate()

    async def _old_of(self, rotation: _Rotation) -> frozenset[str]:
        """The keys that a rotation ends. Asked once: those that are made later are for the next."""
        if self._old is None or self._old[0] != rotation.id:
            self._old = rotation.id, await self.old_keks(rotation.kek_id)
        return self._old[1]

    async def old_keks(self, kek_id: str | None) -> frozenset[str]:
        """All key-encryption keys of all tenants that exist, but those that wrap now.

        Args:
            kek_id: a key that must be known here, if any.

        Raises:
            Unavailable: the provider is away, or does not know that key here yet.
        """
        async with self._database.session() as session:
            connection = await session.connection()
            tenants = set((await connection.scalars(self._tenants)).all())
            for keys in self._tables:
                rows = keys.rows().subquery()
                tenants |= set((await connection.scalars(select(rows.c.tenant_id).distinct())).all())
        old: set[str] = set()
        for tenant_id in sorted(tenants):
            keks = await self._provider.keks(tenant_id)
            if not _knows(keks, kek_id):
                raise Unavailable("The new key-encryption key is not known here yet.")
            old |= set(keks.old)
        return frozenset(old)

    async def _rewrap(self, rotation: _Rotation, keys: WrappedKeys, old: Collection[str]) -> int:
        """Wraps the table's keys anew; returns how many could not be opened."""
        unreadable, after = 0, None
        while rows := await self._batch(keys, old, after):
            after = rows[-1].owner
            renewed = await asyncio.gather(*(self._renew(rotation, keys, row) for row in rows))
            async with self._database.session() as session:
                for row, wrapped in zip(rows, renewed, strict=True):
                    if wrapped is None:
                        unreadable += 1
                    elif await replace(session, keys, row, wrapped) and keys.renewed is not None:
                        await keys.renewed(session, row.owner)
            await self._breathe(rotation, old, unreadable)
        return unreadable

    async def _batch(self, keys: WrappedKeys, old: Collection[str], after: UUID | None) -> Sequence[KeyRow]:
        owner = keys.table.c[keys.owner]
        query = keys.rows().where(keys.under(old)).order_by(owner).limit(BATCH)
        if after is not None:
            query = query.where(owner > after)
        async with self._database.session() as session:
            found: Sequence[KeyRow] = (await (await session.connection()).execute(query)).all()
        return found

    async def _renew(self, rotation: _Rotation, keys: WrappedKeys, row: KeyRow) -> WrappedDek | None:
        """The row's key under the new key-encryption key; None if it does not open.

        Raises:
            Unavailable: the provider is away, or does not give back what it wrapped.
        """
        context, reference = KeyContext(row.tenant_id, row.context), str(rotation.id)
        try:
            dek = await self._provider.unwrap(
                WrappedDek(row.kek_id, row.wrapped), context, KeyUse.ROTATE, reference
            )
        except (IntegrityError, NotFound) as error:
            log.error(  # noqa: TRY400 - what is wrong with it is all there is to say
                "rewrapping.unreadable", table=keys.table.name, owner=str(row.owner), error=str(error)
            )
            return None
        wrapped = await self._provider.wrap(dek, context)
        # It takes the place of the only copy: what does not open is not stored.
        again = await self._provider.unwrap(wrapped, context, KeyUse.ROTATE, reference)
        if wrapped.kek_id == row.kek_id or not hmac.compare_digest(dek, again):
            raise Unavailable("The key provider does not wrap anew.")
        return wrapped

    async def _breathe(self, rotation: _Rotation, old: Collection[str], unreadable: int) -> None:
        """Lets others have their turn: requests, and events that wait to be sent."""
        if asyncio.get_running_loop().time() - self._told_at >= _TELL_SECONDS:
            await self._tell(rotation, old, unreadable)
        while True:
            await asyncio.sleep(_PAUSE_SECONDS)
            async with self._database.session() as session:
                if int(await (await session.connection()).scalar(_UNSENT) or 0) <= _MOST_UNSENT:
                    return

    async def _remaining(self, session: AsyncSession, old: Collection[str]) -> int:
        connection = await session.connection()
        total = 0
        for keys in self._tables:
            count = select(func.count()).select_from(keys.table).where(keys.under(old))
            total += int(await connection.scalar(count) or 0)
        return total

    async def _finish(self, rotation: _Rotation, old: Collection[str]) -> bool:
        """Retires the old keys if nothing is under them; whether that is so."""
        try:
            async with self._database.session() as session:
                connection = await session.connection()
                await connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'"))
                # Waits for every transaction that is storing a wrapped key, and lets none begin.
                await connection.execute(_LOCK)
                if await self._remaining(session, old):
                    return False
                if old:
                    rows = [{"kek_id": kek_id} for kek_id in sorted(old)]
                    await connection.execute(insert(retired_keks).on_conflict_do_nothing(), rows)
                await self._write(session, rotation, remaining=0, unreadable=0, finished=True)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != _NOT_AVAILABLE:
                raise
            return False
        log.info("rewrapping.finished", rotation_id=str(rotation.id), retired=len(old))
        return True

    async def _tell(self, rotation: _Rotation, old: Collection[str], unreadable: int) -> None:
        """Says how far it is, if that has changed."""
        async with self._database.session() as session:
            remaining = await self._remaining(session, old)
            await self._write(session, rotation, remaining=remaining, unreadable=unreadable, finished=False)
        self._told_at = asyncio.get_running_loop().time()

    async def _write(
        self, session: AsyncSession, rotation: _Rotation, *, remaining: int, unreadable: int, finished: bool
    ) -> None:
        told = {"remaining": remaining, "unreadable": unreadable, "finished": finished}
        connection = await session.connection()
        own = rewrappings.c.rotation_id == rotation.id
        changed = update(rewrappings).where(
            own, rewrappings.c.finished_at.is_(None), rewrappings.c.told.is_distinct_from(told)
        )
        values: dict[str, Any] = {"version": rewrappings.c.version + 1, "told": told}
        if finished:
            values["finished_at"] = func.clock_timestamp()
        version = await connection.scalar(changed.values(values).returning(rewrappings.c.version))
        if version is not None:
            event = {"rotation_id": rotation.id, "service": self._service, "version": version, **told}
            await publish(session, KeysRewrapped.model_validate({**event, "at": datetime.now(UTC)}))


def _knows(keks: Keks, kek_id: str | None) -> bool:
    return kek_id is None or kek_id == keks.current or kek_id in keks.old
