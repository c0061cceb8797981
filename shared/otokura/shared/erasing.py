"""Erasing, as every service does it: rows and keys in one transaction, objects after it, then the word.

Each step can be repeated, so that whoever is killed between two is followed by another: the tombstone says
what is still to be done. Objects are looked for a second time an hour later: a writer that had been asleep
may have put one meanwhile, which is ciphertext without a key.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.shared import tombstones
from otokura.shared.audit_entries import Action, AuditDraft
from otokura.shared.consumer_handling import EventContext, Subscription
from otokura.shared.database import Database
from otokura.shared.errors import OtokuraError
from otokura.shared.events import ErasedKind, ErasureApplied, ErasureRequested
from otokura.shared.logs import get_logger
from otokura.shared.metrics import counter
from otokura.shared.objects import ObjectStore
from otokura.shared.outbox import publish, publish_audit
from otokura.shared.tombstones import Tombstone

LEASE = timedelta(minutes=5)
SWEEP_AGAIN = timedelta(hours=1)
LOOK_SECONDS = 1.0
_RETRY_SECONDS = 5.0

APPLIED = counter("otokura_erasures_applied_total", "Erasures that this service has applied.", ("kind",))

log = get_logger(__name__)

_TAKE = text("""
    UPDATE tombstones t SET sweep_at = clock_timestamp() + :lease
    FROM (
        SELECT call_id, kind FROM tombstones WHERE sweep_at <= clock_timestamp()
        ORDER BY sweep_at LIMIT 1 FOR UPDATE SKIP LOCKED
    ) due
    WHERE t.call_id = due.call_id AND t.kind = due.kind
    RETURNING t.call_id, t.kind
""")
# The most that was ever found: a sweep that was killed half way had counted what it then deleted.
_FOUND = text("""
    UPDATE tombstones SET counts = counts || jsonb_build_object('objects',
        greatest(CAST(:found AS int), coalesce(CAST(counts->>'objects' AS int), 0)))
    WHERE call_id = :call_id AND kind = :kind
""")
_APPLY = text("""
    UPDATE tombstones SET applied_at = clock_timestamp(), sweep_at = clock_timestamp() + :again
    WHERE call_id = :call_id AND kind = :kind AND applied_at IS NULL RETURNING applied_at
""")
_REST = text("""
    UPDATE tombstones SET sweep_at = NULL
    WHERE call_id = :call_id AND kind = :kind AND applied_at IS NOT NULL
""")


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What went from a service's tables, by their names, and which keys had wrapped the call's key there."""

    counts: dict[str, int]
    kek_ids: list[str]


class Part(Protocol):
    """What is a service's own in an erasure."""

    service: str

    async def forget(self, session: AsyncSession, event: ErasureRequested) -> Forgotten:
        """Deletes the rows, in the transaction that lays the tombstone."""
        ...

    def prefixes(self, stone: Tombstone) -> Sequence[tuple[str, str]]:
        """Bucket and prefix of all objects that the service has of the call; each prefix names the call."""
        ...


async def erase(session: AsyncSession, event: ErasureRequested, part: Part) -> bool:
    """Lays the tombstone and deletes the rows; False if that was done before."""
    if await tombstones.lay(session, event) is None:
        return False
    forgotten = await part.forget(session, event)
    await tombstones.note(session, event, forgotten.counts, forgotten.kek_ids)
    return True


def subscriptions(part: Part) -> list[Subscription]:
    """The handler that a service's consumer needs."""

    async def erasure_requested(
        session: AsyncSession, event: ErasureRequested, _context: EventContext
    ) -> None:
        await erase(session, event, part)

    return [Subscription(ErasureRequested, erasure_requested)]


class Eraser:
    """Deletes the objects of what is erased, and says so; several may run.

    Args:
        database: the service's.
        store: where its objects are; None for a service that has none.
        part: the service's own.
    """

    def __init__(self, database: Database, store: ObjectStore | None, part: Part) -> None:
        self._database = database
        self._store = store
        self._part = part

    async def run(self) -> None:
        """Works for ever; the database and the store may come and go."""
        while True:
            try:
                worked = await self.step()
            except (OtokuraError, OSError) as error:
                # Whatever it is, the lease ends and it is tried again: an erasure is never given up.
                log.warning("erasing.postponed", error=error)
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                if not worked:
                    await asyncio.sleep(LOOK_SECONDS)

    async def step(self) -> bool:
        """Carries one erasure to its end; False when none is due.

        Raises:
            Unavailable: the database or the store is away.
            StoreRefused: the store keeps an object.
        """
        async with self._database.session() as session:
            taken = (await (await session.connection()).execute(_TAKE, {"lease": LEASE})).one_or_none()
            if taken is None:
                return False
            stone = await session.get_one(Tombstone, (taken.call_id, taken.kind))
        while found := [item async for item in self._objects(stone)]:
            await self._delete(stone, found)
        await self._conclude(stone)
        return True

    async def _objects(self, stone: Tombstone) -> AsyncIterator[tuple[str, str]]:
        """Bucket and name of all that there still is."""
        for bucket, prefix in self._part.prefixes(stone):
            if self._store is None or not prefix.endswith(f"/{stone.call_id}/"):
                raise AssertionError(f"{prefix} is not a prefix of one call's objects")
            async for item in self._store.list(bucket, prefix):
                yield bucket, item.name

    async def _delete(self, stone: Tombstone, found: list[tuple[str, str]]) -> None:
        about = {"found": len(found), "call_id": stone.call_id, "kind": stone.kind}
        async with self._database.session() as session:
            await (await session.connection()).execute(_FOUND, about)
        for bucket, name in found:
            if self._store is not None:
                await self._store.delete(bucket, name)

    async def _conclude(self, stone: Tombstone) -> None:
        """Says once that it is done; after the second look nothing is looked for any more."""
        which: dict[str, Any] = {"call_id": stone.call_id, "kind": stone.kind}
        async with self._database.session() as session:
            connection = await session.connection()
            applied = await connection.scalar(_APPLY, {**which, "again": SWEEP_AGAIN})
            if applied is None:
                await connection.execute(_REST, which)
                return
            stone = await session.get_one(Tombstone, (stone.call_id, stone.kind))
            event = ErasureApplied(
                call_id=stone.call_id,
                tenant_id=stone.tenant_id,
                version=1,
                erasure_id=stone.erasure_id,
                kind=ErasedKind(stone.kind),
                service=self._part.service,
                counts=stone.counts,
                kek_ids=stone.kek_ids,
                shredded_at=stone.shredded_at,
                applied_at=applied,
            )
            await publish(session, event)
            await publish_audit(session, _entry(event))
        APPLIED.labels(stone.kind).inc()
        log.info("erasing.applied", call_id=str(stone.call_id), kind=stone.kind, counts=stone.counts)


def _entry(event: ErasureApplied) -> AuditDraft:
    """What the certificate rests on: it names no person, and stays when the call's other details go."""
    about = {"erasure_id", "kind", "service", "counts", "kek_ids", "shredded_at", "applied_at"}
    return AuditDraft(
        action=Action.ERASURE_APPLIED,
        tenant_id=event.tenant_id,
        call_id=event.call_id,
        detail=event.model_dump(mode="json", include=about),
    )
