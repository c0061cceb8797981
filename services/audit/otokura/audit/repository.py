"""The queries of the log: entries for auditors, sources, alerts, and the state of shards."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import and_, func, or_, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from otokura.audit.coverage import Coverage, Gap
from otokura.audit.errors import NoSuchShard
from otokura.audit.models import Alert, Entry, Shard, Source
from otokura.audit.news import News
from otokura.shared.audit_events import AuditAlerted
from otokura.shared.ids import uuid7
from otokura.shared.outbox import publish

_GAPS = TypeAdapter(tuple[Gap, ...])


@dataclass(frozen=True)
class EntryFilter:
    """Which entries of a tenant."""

    reader: str | None = None
    call_id: UUID | None = None
    action: str | None = None
    since: datetime | None = None
    until: datetime | None = None


Place = tuple[datetime, int, int]
"""Time, shard and index of an entry: the order of lists."""


@dataclass
class Noticed:
    """What a batch's news had in them that is not the normal course of things.

    Attributes:
        known: numbers that had come before this batch.
        late: numbers that fill a gap which was reported.
        back: sources of which a later heartbeat said a smaller number.
    """

    known: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])
    late: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])
    back: set[str] = field(default_factory=set[str])


def matching(tenant_id: UUID | None, wanted: EntryFilter) -> SelectOfScalar[Entry]:
    """The query of a tenant's entries that match, in no order."""
    # `=` and IS NULL are read off an index; IS NOT DISTINCT FROM is not.
    statement = select(Entry).where(Entry.tenant_id == tenant_id)
    if wanted.reader is not None:
        statement = statement.where(Entry.reader == wanted.reader)
    if wanted.call_id is not None:
        statement = statement.where(Entry.call_id == wanted.call_id)
    if wanted.action is not None:
        statement = statement.where(Entry.action == wanted.action)
    if wanted.since is not None:
        statement = statement.where(Entry.time >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(Entry.time < wanted.until)
    return statement


async def entries(
    session: AsyncSession,
    tenant_id: UUID | None,
    wanted: EntryFilter,
    before: Place | None,
    limit: int,
) -> Sequence[Entry]:
    """A tenant's entries that match, newest first, from before a place on."""
    statement = matching(tenant_id, wanted)
    if before is not None:
        statement = statement.where(tuple_(col(Entry.time), col(Entry.shard), col(Entry.index)) < before)
    newest_first = (col(Entry.time).desc(), col(Entry.shard).desc(), col(Entry.index).desc())
    return (await session.exec(statement.order_by(*newest_first).limit(limit))).all()


async def entry(session: AsyncSession, tenant_id: UUID | None, entry_id: UUID) -> Entry | None:
    """One entry, if it is the tenant's."""
    mine = select(Entry).where(Entry.entry_id == entry_id, Entry.tenant_id == tenant_id)
    return (await session.exec(mine)).first()


async def entry_at(session: AsyncSession, year: int, index: int) -> Entry:
    """The entry at a place of a shard, which must be there."""
    return (await session.exec(select(Entry).where(Entry.shard == year, Entry.index == index))).one()


async def shards(session: AsyncSession) -> Sequence[Shard]:
    """All shards, oldest first."""
    return (await session.exec(select(Shard).order_by(col(Shard.shard)))).all()


async def year_before(session: AsyncSession, year: int) -> int | None:
    """The shard before that of a year."""
    before = select(Shard.shard).where(Shard.shard < year).order_by(col(Shard.shard).desc()).limit(1)
    return (await session.exec(before)).first()


async def shard(session: AsyncSession, year: int) -> Shard:
    """One shard, as it is now.

    Raises:
        NoSuchShard: there is none of that year.
    """
    statement = select(Shard).where(Shard.shard == year).execution_options(populate_existing=True)
    found = (await session.exec(statement)).first()
    if found is None:
        raise NoSuchShard(f"The log has no shard {year}.")
    return found


async def record_signed(session: AsyncSession, year: int, old: int, size: int, root: bytes) -> bool:
    """Notes the tree that is about to be signed; False when another was signed since `old`."""
    changed = await (await session.connection()).execute(
        update(Shard)
        .where(col(Shard.shard) == year, col(Shard.signed_size) == old, col(Shard.size) >= size)
        .values(signed_size=size, signed_root=root)
    )
    return changed.rowcount == 1


async def record_published(session: AsyncSession, year: int, size: int) -> bool:
    """Notes that everything of `size` is in the bucket; False when that was known."""
    news = or_(col(Shard.published_size) < size, col(Shard.published_at).is_(None))
    changed = await (await session.connection()).execute(
        update(Shard)
        .where(col(Shard.shard) == year, col(Shard.published_size) <= size, news)
        .values(published_size=size, published_at=func.clock_timestamp())
    )
    return changed.rowcount == 1


async def note_sources(session: AsyncSession, news: Mapping[str, News], now: datetime) -> Noticed:
    """Adds what was heard to the state of each source, and locks it; returns what was odd about it."""
    fresh: list[dict[str, Any]] = [
        {"source": name, "partition": told.partition, "high": 0, "gaps": [], "heard_at": now,
         "closed": False, "silence_alerted": False, "declared": 0}
        for name, told in sorted(news.items())
    ]  # fmt: skip
    noticed = Noticed()
    connection = await session.connection()
    await connection.execute(upsert(Source).on_conflict_do_nothing(), fresh)
    # In the order of their names: two replicas that hear of the same sources must not wait for each other.
    ordered = select(Source).where(col(Source.source).in_(news)).order_by(col(Source.source))
    for source in (await session.exec(ordered.with_for_update())).all():
        told = news[source.source]
        _note_numbers(source, told, now, noticed)
        _note_heartbeats(source, told, noticed)
        source.partition, source.heard_at, source.silence_alerted = told.partition, now, False
        source.closed = source.closed or told.closed
        session.add(source)
    return noticed


def _note_numbers(source: Source, told: News, now: datetime, noticed: Noticed) -> None:
    before = coverage = coverage_of(source)
    for seq in told.seqs:
        if before.covers(seq):
            noticed.known.add((source.source, seq))
        gap = coverage.gap_of(seq)
        if gap is not None and gap.alerted:
            noticed.late.add((source.source, seq))
        coverage = coverage.see(seq, now)
    set_coverage(source, coverage.declare(told.last_seq, now))


def _note_heartbeats(source: Source, told: News, noticed: Noticed) -> None:
    """An old heartbeat may come again; one that is newer by its own time does not say less."""
    for at, number in told.declared:
        if source.declared_at is not None and at <= source.declared_at:
            continue
        if number < source.declared:
            noticed.back.add(source.source)
        source.declared, source.declared_at = number, at


async def watched_sources(session: AsyncSession, partitions: Collection[int]) -> Sequence[Source]:
    """Sources of these partitions of which something may have to be told yet.

    Locked; those locked by others are left out.
    """
    listened_to = and_(col(Source.closed).is_(False), col(Source.silence_alerted).is_(False))
    statement = (
        select(Source)
        .where(col(Source.partition).in_(partitions))
        .where(or_(listened_to, col(Source.gaps).contains([{"alerted": False}])))
        .order_by(col(Source.source))
    )
    return (await session.exec(statement.with_for_update(skip_locked=True))).all()


def coverage_of(source: Source) -> Coverage:
    """The numbers of a source."""
    return Coverage(source.high, _GAPS.validate_python(source.gaps))


def set_coverage(source: Source, coverage: Coverage) -> None:
    """Puts them back."""
    source.high, source.gaps = coverage.high, _GAPS.dump_python(coverage.gaps, mode="json")


async def raise_alert(session: AsyncSession, alert: AuditAlerted, key: str) -> bool:
    """Keeps an alert and publishes it, unless one of the same kind, source and key was raised before."""
    tenant_id: str | None = alert.detail.get("tenant_id")
    values: dict[str, Any] = {
        "id": uuid7(),
        "kind": alert.kind,
        "source": alert.source,
        "key": key,
        "detail": alert.detail,
        "at": alert.at.astimezone(UTC),
        "tenant_id": None if tenant_id is None else UUID(tenant_id),
    }
    connection = await session.connection()
    inserted = await connection.execute(
        upsert(Alert).values(values).on_conflict_do_nothing().returning(col(Alert.id))
    )
    if inserted.first() is None:
        return False
    await publish(session, alert)
    return True


async def entries_of_call(
    session: AsyncSession, tenant_id: UUID, call_id: UUID, actions: Collection[str]
) -> Sequence[Entry]:
    """A tenant's entries about a call that say one of these things, oldest first."""
    statement = (
        select(Entry)
        .where(Entry.tenant_id == tenant_id, Entry.call_id == call_id, col(Entry.action).in_(actions))
        .order_by(col(Entry.shard), col(Entry.index))
    )
    return (await session.exec(statement)).all()
