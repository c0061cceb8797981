"""Compares the reads that sources counted where bytes leave with the entries of their reads.

A count says up to which of the source's numbers its reads have their entries. Once all of these numbers have
come, the log must hold at least as many entries of reads; it may hold more, of reads that had not begun yet.
No clock decides, no period has edges: whatever is late, repeated, killed or restarted, nobody is accused of
it. Numbers that are missing for good count as reads here: they have an alert of their own (decision 0041).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.audit.coverage import Coverage
from otokura.audit.instruments import ALERTS
from otokura.audit.models import Entry, ReadCount, Source
from otokura.audit.repository import coverage_of, raise_alert
from otokura.shared.audit_entries import Action
from otokura.shared.audit_events import AuditAlerted, AuditCounted
from otokura.shared.database import Database
from otokura.shared.errors import Unavailable
from otokura.shared.logs import get_logger

_TICK_SECONDS = 2.0
_AT_ONCE = 200
_ROWS = 1000
"""In one statement: PostgreSQL takes 65,535 parameters at most, asyncpg half of them."""

log = get_logger(__name__)


async def note_counts(session: AsyncSession, counted: Iterable[AuditCounted]) -> None:
    """Keeps what was counted; what is older than what is known changes nothing."""
    newest: dict[tuple[str, UUID], dict[str, Any]] = {}
    for event in counted:
        for tenant_id, reads in event.reads.items():
            row = {"source": event.source, "tenant_id": tenant_id, "last_seq": event.last_seq,
                   "served": reads.served, "unserved": reads.unserved, "told_at": event.time,
                   "pending": True, "opened": 0, "settled": 0, "unmatched": 0}  # fmt: skip
            known = newest.setdefault((event.source, tenant_id), row)
            if _order(row) > _order(known):
                newest[event.source, tenant_id] = row
    if not newest:
        return
    # In one order: two replicas that hear of the same must not wait for each other.
    rows = [row for _, row in sorted(newest.items())]
    connection = await session.connection()
    for start in range(0, len(rows), _ROWS):
        await connection.execute(_kept(rows[start : start + _ROWS]))


def _kept(rows: Sequence[dict[str, Any]]) -> Insert:
    statement = upsert(ReadCount).values(rows)
    told = {
        name: statement.excluded[name] for name in ("served", "unserved", "last_seq", "told_at", "pending")
    }
    more = col(ReadCount.served) + col(ReadCount.unserved)
    newer = or_(
        statement.excluded.last_seq > col(ReadCount.last_seq),
        statement.excluded.served + statement.excluded.unserved > more,
    )
    return statement.on_conflict_do_update(index_elements=["source", "tenant_id"], set_=told, where=newer)


def _order(row: dict[str, Any]) -> tuple[int, int]:
    return row["last_seq"], row["served"] + row["unserved"]


class Reconciler:
    """Compares what is new every few seconds; replicas share the work.

    Args:
        database: the service's own.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self) -> None:
        """Compares for ever."""
        while True:
            try:
                await self.look(datetime.now(UTC))
            except (Unavailable, SQLAlchemyError) as error:
                log.warning("reconciliation postponed", error=error)
            await asyncio.sleep(_TICK_SECONDS)

    async def look(self, now: datetime) -> list[AuditAlerted]:
        """Compares what can be; the alerts that it raised."""
        raised: list[AuditAlerted] = []
        async with self._database.session() as session:
            pending = await _pending(session)
        for source, tenant_id in pending:
            # One a transaction: who takes entries must not wait for many of these.
            async with self._database.session() as session:
                alert = await _compare_one(session, source, tenant_id, now)
            if alert is not None:
                raised.append(alert)
        for alert in raised:
            ALERTS.labels(alert.kind).inc()
            log.error("audit alert", kind=alert.kind, source=alert.source, **alert.detail)
        return raised


async def _pending(session: AsyncSession) -> Sequence[tuple[str, UUID]]:
    statement = (
        select(ReadCount.source, ReadCount.tenant_id)
        .join(Source, col(Source.source) == col(ReadCount.source))
        .where(col(ReadCount.pending), col(Source.high) >= col(ReadCount.last_seq))
        .order_by(func.random())
        .limit(_AT_ONCE)
    )
    return (await session.exec(statement)).all()


async def _compare_one(
    session: AsyncSession, source: str, tenant_id: UUID, now: datetime
) -> AuditAlerted | None:
    """Compares one count, unless another replica has it in hand."""
    statement = (
        select(ReadCount, Source)
        .join(Source, col(Source.source) == col(ReadCount.source))
        .where(ReadCount.source == source, ReadCount.tenant_id == tenant_id, col(ReadCount.pending))
        .where(col(Source.high) >= col(ReadCount.last_seq))
        .with_for_update(skip_locked=True, of=ReadCount)
    )
    found = (await session.exec(statement)).first()
    if found is None:
        return None
    count, of = found
    alert = await _compare(session, count, coverage_of(of), now)
    session.add(count)
    return alert


async def _compare(
    session: AsyncSession, count: ReadCount, coverage: Coverage, now: datetime
) -> AuditAlerted | None:
    """Compares one count, unless numbers are under way; the alert, if it is new that some are unmatched."""
    gaps = [gap for gap in coverage.gaps if gap.first <= count.last_seq]
    if not all(gap.alerted for gap in gaps):
        return None
    missing = sum(
        max(0, min(gap.last, count.last_seq) - max(gap.first, count.settled + 1) + 1) for gap in gaps
    )
    # Settled with what is missing: what comes of it later is not counted again, nor what is before it.
    opened = count.opened + missing + await _opened(session, count)
    unmatched = count.served + count.unserved - opened
    since, count.pending, count.matched_at = count.matched_at, False, count.told_at
    count.opened, count.settled = opened, count.last_seq
    if unmatched <= count.unmatched:
        return None
    count.unmatched = unmatched
    detail = {
        "tenant_id": str(count.tenant_id),
        "from": None if since is None else since.isoformat(),
        "to": count.told_at.isoformat(),
        "served": count.served,
        "unserved": count.unserved,
        "opened": opened,
        "unmatched": unmatched,
    }
    alert = AuditAlerted(kind="unmatched", source=count.source, detail=detail, at=now)
    return alert if await raise_alert(session, alert, f"{count.tenant_id}/{unmatched}") else None


async def _opened(session: AsyncSession, count: ReadCount) -> int:
    """Entries of reads beyond what is settled."""
    statement = select(func.count()).where(
        Entry.source == count.source,
        col(Entry.seq) > count.settled,
        col(Entry.seq) <= count.last_seq,
        Entry.tenant_id == count.tenant_id,
        Entry.action == Action.READ_OPENED,
    )
    return (await session.exec(statement)).one()
