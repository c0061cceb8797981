"""Details that are kept no longer: after its time an entry's detail goes with its salt, the leaf stays.

Counted is from when the log sequenced an entry, by the database's clock: a source whose clock is wrong cannot
make its entries forgotten early. What is about a call that is held stays until no hold is left; a hold may be
on its way, so that nothing goes while the log is behind.
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Uuid,
    all_,
    any_,
    func,
    literal,
    or_,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.audit.erasing import KEPT, RETENTION, bare
from otokura.audit.models import DetailRetention, Entry
from otokura.audit.progress import Progress
from otokura.shared.audit_entries import Action, AuditDraft
from otokura.shared.database import Database
from otokura.shared.directory_tables import tenants
from otokura.shared.errors import Unavailable
from otokura.shared.events import TenantSettings
from otokura.shared.logs import get_logger
from otokura.shared.outbox import publish_audit

RETAINING_LOCK = 0x6F746F6B_75726130
"""Advisory lock key: "otokura" and 48. Replicas take turns."""
BATCH = 1_000
"""Details that one transaction removes."""
WITH_THE_CALL = (Action.RECORDING_SEALED, Action.RECORDING_TRANSCRIBED)
"""Actions whose details go with the call alone: they hold the hashes by which its recording is evidence."""
NOBODY = UUID(int=0)
"""Stands for no tenant in `detail_retention`."""
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
_RETRY_SECONDS = 10.0

log = get_logger(__name__)


class Retaining:
    """Removes details whose time has passed, a batch a transaction, and writes an entry of each batch.

    Args:
        database: the service's own.
        progress: whether this replica's consumer follows: one that is behind may not know of a hold yet.
        untenanted_days: how long details of entries of no tenant are kept.
        look_seconds: how often is looked.
    """

    def __init__(
        self, database: Database, progress: Progress, untenanted_days: int, look_seconds: float
    ) -> None:
        self._database = database
        self._progress = progress
        self._untenanted_days = untenanted_days
        self._look_seconds = look_seconds

    async def run(self) -> None:
        """Looks for ever; the database may come and go."""
        while True:
            try:
                await self.look(datetime.now(UTC))
            except (Unavailable, SQLAlchemyError) as error:
                log.warning("retention of details postponed", error=error)
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                await asyncio.sleep(self._look_seconds if self._follows() else _RETRY_SECONDS)

    async def look(self, now: datetime) -> int:
        """Removes all that is due; how many details went.

        Args:
            now: ages are counted up to here.
        """
        removed = 0
        for tenant_id, days in await self._rules():
            while self._follows() and (batch := await self._step(tenant_id, days, now)):
                removed += batch
        return removed

    def _follows(self) -> bool:
        return self._progress.follows(datetime.now(UTC))

    async def _rules(self) -> list[tuple[UUID | None, int]]:
        """By tenant, how many days its details are kept."""
        async with self._database.session() as session:
            rows = await (await session.connection()).execute(select(tenants.c.tenant_id, tenants.c.settings))
            kept = [(row.tenant_id, TenantSettings.model_validate(row.settings)) for row in rows]
        return [(None, self._untenanted_days), *((one, rules.audit_detail_days) for one, rules in kept)]

    async def _step(self, tenant_id: UUID | None, days: int, now: datetime) -> int:
        """One batch; 0 when nothing is left, or another replica is at it."""
        before = now - timedelta(days=days)
        async with self._database.session() as session:
            connection = await session.connection()
            if not await connection.scalar(
                text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": RETAINING_LOCK}
            ):
                return 0
            done = await _done(session, tenant_id)
            held, freed = await _holds(session, tenant_id, now)
            old = col(Entry.sequenced_at) < before
            gone = await _remove(session, tenant_id, old, col(Entry.sequenced_at) >= done, _none_of(held))
            await _reached(session, tenant_id, before if len(gone) < BATCH else max(gone))
            if len(gone) < BATCH and freed:
                # They were held when `done` passed them.
                gone += await _remove(session, tenant_id, old, col(Entry.call_id) == any_(_ids(freed)))
            if gone:
                about = {"why": RETENTION, "days": days, "before": before, "details": len(gone)}
                draft = AuditDraft(action=Action.DETAILS_REMOVED, tenant_id=tenant_id, detail=about)
                await publish_audit(session, draft)
        return len(gone)


async def _remove(session: AsyncSession, tenant_id: UUID | None, *due: ColumnElement[bool]) -> list[datetime]:
    """Removes one batch of details, oldest first; when each was sequenced."""
    place = (col(Entry.shard), col(Entry.index))
    mine = (
        col(Entry.tenant_id) == tenant_id,
        col(Entry.recorded).is_not(None),
        col(Entry.action).not_in((*KEPT, *WITH_THE_CALL)),
    )
    chosen = select(*place).where(*mine, *due).order_by(col(Entry.sequenced_at)).limit(BATCH)
    statement = update(Entry).where(tuple_(*place).in_(chosen)).values(bare(RETENTION))
    connection = await session.connection()
    gone = await connection.scalars(statement.returning(col(Entry.sequenced_at)))
    return [at for at in gone.all() if at is not None]


def _none_of(calls: set[UUID]) -> ColumnElement[bool]:
    return or_(col(Entry.call_id).is_(None), col(Entry.call_id) != all_(_ids(calls)))


def _ids(calls: set[UUID]) -> BindParameter[Any]:
    """One parameter, however many there are."""
    return literal(list(calls), ARRAY(Uuid))


async def _holds(session: AsyncSession, tenant_id: UUID | None, now: datetime) -> tuple[set[UUID], set[UUID]]:
    """Calls that are held, and calls that were and are not any more, as the log has it."""
    statement = select(col(Entry.call_id), col(Entry.action), col(Entry.recorded)).where(
        col(Entry.tenant_id) == tenant_id, col(Entry.action).in_((Action.HOLD_SET, Action.HOLD_LIFTED))
    )
    ever, standing, lifted = set[UUID](), dict[str, tuple[UUID, str | None]](), set[str]()
    for row in (await (await session.connection()).execute(statement)).all():
        detail: dict[str, Any] = json.loads(row.recorded)["detail"]
        hold_id = str(detail.get("hold_id"))
        ever.add(row.call_id)
        if row.action == Action.HOLD_LIFTED:
            lifted.add(hold_id)
        else:
            standing[hold_id] = (row.call_id, detail.get("ends_at"))
    held = {
        call_id
        for hold_id, (call_id, ends_at) in standing.items()
        if hold_id not in lifted and (ends_at is None or datetime.fromisoformat(ends_at) > now)
    }
    return held, ever - held


async def _done(session: AsyncSession, tenant_id: UUID | None) -> datetime:
    found = await session.get(DetailRetention, tenant_id or NOBODY)
    return BEGINNING if found is None else found.done


async def _reached(session: AsyncSession, tenant_id: UUID | None, done: datetime) -> None:
    values = {"tenant_id": tenant_id or NOBODY, "done": done}
    statement = upsert(DetailRetention).values(values)
    later = func.greatest(DetailRetention.done, statement.excluded.done)
    changed = statement.on_conflict_do_update(index_elements=["tenant_id"], set_={"done": later})
    await (await session.connection()).execute(changed)
