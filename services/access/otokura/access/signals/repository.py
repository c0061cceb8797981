"""Every query about leak signals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import CursorResult, Integer, Row, Text, TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Uuid
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.identity.models import PrincipalRecord
from otokura.access.signals.models import LeakSignal
from otokura.access.tenancy.models import Tenant
from otokura.shared.leak_rules import CountRule

# Locked in the order in which they are noted.
_LAST_LISTENINGS = text("""
    SELECT s.reader_id, s.call_id, s.read_id
    FROM unnest(:readers, :calls) AS n (reader_id, call_id)
    JOIN seen_calls s ON s.reader_id = n.reader_id AND s.call_id = n.call_id
    ORDER BY s.reader_id, s.call_id FOR UPDATE OF s
""").bindparams(*(bindparam(name, type_=ARRAY(Uuid)) for name in ("readers", "calls")))
# The row of a listening that goes on stays as it is, and is not returned. Of a call that was erased meanwhile
# nothing is noted.
_NOTE_CALLS = text("""
    INSERT INTO seen_calls AS s (reader_id, call_id, tenant_id, read_id, at)
    SELECT n.reader_id, n.call_id, c.tenant_id, n.read_id, now()
    FROM unnest(:readers, :calls, :reads) AS n (reader_id, call_id, read_id)
    JOIN calls c ON c.call_id = n.call_id
    ORDER BY n.reader_id, n.call_id
    ON CONFLICT (reader_id, call_id) DO UPDATE SET read_id = excluded.read_id, at = excluded.at
        WHERE s.read_id <> excluded.read_id
    RETURNING s.reader_id, s.call_id
""").bindparams(*(bindparam(name, type_=ARRAY(Uuid)) for name in ("readers", "calls", "reads")))
# Whoever counts the same reader's minute waits here for the other, and sees then what the other counted.
_NOTE_MINUTES = text("""
    INSERT INTO seen_minutes AS s (reader_id, minute, listenings, denials)
    SELECT reader_id, date_trunc('minute', now()), listenings, denials
    FROM unnest(:readers, :listenings, :denials) AS n (reader_id, listenings, denials)
    ORDER BY reader_id
    ON CONFLICT (reader_id, minute) DO UPDATE
        SET listenings = s.listenings + excluded.listenings, denials = s.denials + excluded.denials
""").bindparams(
    bindparam("readers", type_=ARRAY(Uuid)),
    bindparam("listenings", type_=ARRAY(Integer)),
    bindparam("denials", type_=ARRAY(Integer)),
)
# One that is known is written again once a day, to be kept.
_NOTE_PLACES = text("""
    INSERT INTO seen_places AS s (reader_id, network, first_at, last_at)
    SELECT reader_id, network, now(), now()
    FROM unnest(:readers, :networks) AS n (reader_id, network)
    ORDER BY reader_id, network
    ON CONFLICT (reader_id, network) DO UPDATE SET last_at = now()
        WHERE s.last_at < now() - interval '1 day'
    RETURNING s.reader_id, s.network, s.first_at = now() AS fresh
""").bindparams(bindparam("readers", type_=ARRAY(Uuid)), bindparam("networks", type_=ARRAY(Text)))
_PLACES = text("SELECT count(*) FROM seen_places WHERE reader_id = :reader")
_IN_MINUTES = """
    SELECT reader_id, sum({column})::bigint AS counted FROM seen_minutes
    WHERE reader_id = ANY(:readers) AND minute > now() - make_interval(mins => :minutes)
    GROUP BY reader_id HAVING sum({column}) >= :at_least
"""
_COUNTING = {
    "volume": text(_IN_MINUTES.format(column="listenings")),
    "denials": text(_IN_MINUTES.format(column="denials")),
    # Counts no further than it must: the rest of a long list tells nothing more.
    "breadth": text("""
        SELECT r.reader_id, c.counted FROM unnest(:readers) AS r (reader_id)
        CROSS JOIN LATERAL (
            SELECT count(*) AS counted FROM (
                SELECT FROM seen_calls s WHERE s.reader_id = r.reader_id
                AND s.at > now() - make_interval(mins => :minutes) LIMIT :at_least
            ) AS enough
        ) AS c WHERE c.counted >= :at_least
    """),
}
_COUNTS = {
    kind: query.bindparams(bindparam("readers", type_=ARRAY(Uuid))) for kind, query in _COUNTING.items()
}
_RECENT = text("""
    SELECT EXISTS (SELECT FROM leak_signals WHERE reader_id = :reader AND rule = :rule
                   AND at > now() - make_interval(mins => :minutes) AND lifted_at IS NULL)
""")
_FORGET = [
    text("DELETE FROM seen_calls WHERE at < now() - interval '1 day'"),
    text("DELETE FROM seen_minutes WHERE minute < now() - interval '1 day'"),
    text("DELETE FROM seen_places WHERE last_at < now() - interval '180 days'"),
]
_CLEAR = [
    text("UPDATE leak_signals SET lifted_at = now() WHERE reader_id = :reader AND lifted_at IS NULL"),
    text("DELETE FROM seen_calls WHERE reader_id = :reader"),
    text("DELETE FROM seen_minutes WHERE reader_id = :reader"),
]


async def last_listenings(
    session: AsyncSession, rows: Sequence[tuple[UUID, UUID]]
) -> dict[tuple[UUID, UUID], UUID]:
    """The `read_id` that was noted last of readers and calls, locked until the transaction ends."""
    result = await _with_lists(session, _LAST_LISTENINGS, ("readers", "calls"), rows)
    return {(row.reader_id, row.call_id): row.read_id for row in result}


async def note_calls(
    session: AsyncSession, rows: Sequence[tuple[UUID, UUID, UUID]]
) -> set[tuple[UUID, UUID]]:
    """Notes readers, calls and the `read_id` of the last listening; which of them began just now."""
    result = await _with_lists(session, _NOTE_CALLS, ("readers", "calls", "reads"), rows)
    return {(row.reader_id, row.call_id) for row in result}


async def note_minutes(session: AsyncSession, rows: Sequence[tuple[UUID, int, int]]) -> None:
    """Adds to what is counted of readers in this minute: listenings and denials."""
    await _with_lists(session, _NOTE_MINUTES, ("readers", "listenings", "denials"), rows)


async def note_places(session: AsyncSession, rows: Sequence[tuple[UUID, str]]) -> list[tuple[UUID, str]]:
    """Notes in which networks readers are; those in which they were never seen before."""
    result = await _with_lists(session, _NOTE_PLACES, ("readers", "networks"), rows)
    return sorted((row.reader_id, row.network) for row in result if row.fresh)


async def places(session: AsyncSession, reader: UUID) -> int:
    """In how many networks a reader was seen."""
    return int((await _run(session, _PLACES, {"reader": reader})).scalar_one())


async def matching(session: AsyncSession, rule: CountRule, readers: Sequence[UUID]) -> dict[UUID, int]:
    """Those of the readers whom a rule matches, and what it counted: of calls no more than it must."""
    values = {"readers": list(readers), "minutes": rule.minutes, "at_least": rule.at_least}
    result = await _run(session, _COUNTS[rule.kind], values)
    return {row.reader_id: int(row.counted) for row in result}


async def settings(session: AsyncSession, tenant_id: UUID) -> dict[str, Any]:
    """A tenant's settings as they are kept."""
    return dict((await session.exec(select(col(Tenant.settings)).where(Tenant.id == tenant_id))).one())


async def reader(session: AsyncSession, tenant_id: UUID, reader_id: UUID) -> PrincipalRecord | None:
    """A principal of a tenant; until the transaction ends nobody else raises a signal about them."""
    statement = select(PrincipalRecord).where(
        PrincipalRecord.id == reader_id, PrincipalRecord.tenant_id == tenant_id
    )
    return (await session.exec(statement.with_for_update(key_share=True))).one_or_none()


async def was_raised(session: AsyncSession, reader_id: UUID, rule: str, minutes: int) -> bool:
    """Whether a rule raised a signal about a reader within so many minutes, and no pause was lifted since."""
    values = {"reader": reader_id, "rule": rule, "minutes": minutes}
    return bool((await _run(session, _RECENT, values)).scalar())


async def forget(session: AsyncSession) -> None:
    """Deletes what no rule can count any more."""
    for statement in _FORGET:
        await _run(session, statement, {})


async def clear(session: AsyncSession, reader_id: UUID) -> None:
    """Deletes what was counted of a reader, and what rules said: from now on it is counted anew."""
    for statement in _CLEAR:
        await _run(session, statement, {"reader": reader_id})


async def newest(
    session: AsyncSession, tenant_id: UUID, before: UUID | None, limit: int
) -> Sequence[LeakSignal]:
    """A tenant's signals, newest first: their ids (UUIDv7) are in the order of time."""
    statement = select(LeakSignal).where(LeakSignal.tenant_id == tenant_id)
    if before is not None:
        statement = statement.where(col(LeakSignal.id) < before)
    return (await session.exec(statement.order_by(col(LeakSignal.id).desc()).limit(limit))).all()


async def paused(session: AsyncSession, tenant_id: UUID) -> Sequence[PrincipalRecord]:
    """Everybody of a tenant who is paused, the longest first."""
    statement = (
        select(PrincipalRecord)
        .where(PrincipalRecord.tenant_id == tenant_id, col(PrincipalRecord.paused_at).is_not(None))
        .order_by(col(PrincipalRecord.paused_at))
    )
    return (await session.exec(statement)).all()


async def _with_lists(
    session: AsyncSession, statement: TextClause, names: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> Sequence[Row[Any]]:
    """Runs a statement that takes a list for each column."""
    columns = zip(*rows, strict=True) if rows else ((),) * len(names)
    result = await _run(session, statement, dict(zip(names, map(list, columns), strict=True)))
    return result.all() if result.returns_rows else ()


async def _run(session: AsyncSession, statement: TextClause, values: Mapping[str, Any]) -> CursorResult[Any]:
    return await (await session.connection()).execute(statement, dict(values))
