"""Every query about what is indexed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CursorResult, TextClause, text
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.reads.repository import CALL_COLUMNS, CALL_TABLES, Scope
from otokura.access.search import queue
from otokura.access.search.entries import Probe
from otokura.access.search.hashes import IndexKey

_FACTS = text(f"""
    SELECT {CALL_COLUMNS}, c.personal, k.kek_id, k.wrapped, k.commitment
    FROM calls c
    LEFT JOIN call_keys k ON k.call_id = c.call_id AND k.tenant_id = c.tenant_id
    {CALL_TABLES}
    WHERE c.call_id = :call_id AND c.tenant_id = :tenant_id AND c.external_id IS NOT NULL
""")  # noqa: S608 - made of constants
# Only under the key that is the tenant's: what another was made with would never be found, nor removed.
_PUT = text("""
    INSERT INTO search_index AS i (call_id, tenant_id, version, started_at, agent_id, hashes)
    SELECT c.call_id, c.tenant_id, :version, c.started_at, c.agent_id, CAST(:hashes AS integer[])
    FROM calls c JOIN search_keys k ON k.tenant_id = c.tenant_id AND k.id = :key_id
    WHERE c.call_id = :call_id AND c.tenant_id = :tenant_id
    ON CONFLICT (call_id) DO UPDATE SET version = excluded.version, started_at = excluded.started_at,
        agent_id = excluded.agent_id, hashes = excluded.hashes
    RETURNING 1
""")
_NEWEST = text(
    "SELECT call_id FROM search_index WHERE tenant_id = :tenant_id ORDER BY started_at DESC LIMIT 1"
)
_FORGET_KEY = text("DELETE FROM search_keys WHERE tenant_id = :tenant_id AND id = :key_id RETURNING 1")
_FORGET_INDEX = text("DELETE FROM search_index WHERE tenant_id = :tenant_id")
# The hashes decide first, always: read in the order of time, every row's hashes would have to be fetched.
_BY_HASHES = text("SET LOCAL enable_seqscan = off")
_BY_REDACTED = "i.hashes @> CAST(:redacted AS integer[])"
_BY_RAW = "i.hashes @> CAST(:raw AS integer[])"
_OWN = "i.agent_id = ANY(:own)"
_TEAM = text("""
    SELECT a.agent_id FROM agent_aliases a JOIN principals p ON p.id = a.principal_id
    WHERE a.tenant_id = :tenant_id AND p.team = :team
""")


@dataclass(frozen=True, slots=True)
class Position:
    """Where a search stands: behind this call."""

    started_at: datetime
    call_id: UUID


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which calls to look at; None means any."""

    agent_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: Position | None = None


_FILTERS = {
    "agent_id": "i.agent_id = :agent_id",
    "since": "i.started_at >= :since",
    "until": "i.started_at < :until",
}


async def facts(session: AsyncSession, tenant_id: UUID, call_id: UUID) -> Mapping[str, Any] | None:
    """All that must be known of a call to index it; None until its beginning has come."""
    result = await _run(session, _FACTS, tenant_id=tenant_id, call_id=call_id)
    row = result.mappings().one_or_none()
    return dict(row) if row is not None else None


async def put(session: AsyncSession, key: IndexKey, call_id: UUID, version: int, hashes: list[int]) -> bool:
    """Indexes a call; False when the key is no longer the tenant's."""
    values = {"call_id": call_id, "tenant_id": key.tenant_id, "key_id": key.id}
    return (await _run(session, _PUT, version=version, hashes=hashes, **values)).first() is not None


async def doubt(session: AsyncSession, tenant_id: UUID) -> None:
    """Has a call of a tenant indexed again, so that a worker looks whether the index still has its key."""
    newest = (await _run(session, _NEWEST, tenant_id=tenant_id)).scalar_one_or_none()
    if newest is not None:
        await queue.again(session, tenant_id, newest)


async def forget(session: AsyncSession, tenant_id: UUID, key_id: UUID) -> None:
    """Drops a tenant's index and the key that it was made with, and has all of it made anew."""
    if (await _run(session, _FORGET_KEY, tenant_id=tenant_id, key_id=key_id)).first() is not None:
        await _run(session, _FORGET_INDEX, tenant_id=tenant_id)
        await queue.again(session, tenant_id)


async def candidates(
    session: AsyncSession, probe: Probe, wanted: Wanted, seen: Scope, raw: Scope, limit: int
) -> list[dict[str, Any]]:
    """Calls in which the phrase may stand, newest first, at most `limit`, with what it takes to open them.

    What is gone of a call meanwhile is null; its place (`placed_at`, `placed_id`) never is.

    Args:
        session: nothing but this follows in its transaction.
        probe: the hashes that must all be there.
        wanted: which calls.
        seen: those of which the reader may see some text, as far as a query can tell.
        raw: those of which they may see the raw text. Of others nothing is found by it, so that neither an
            answer nor its time tells anything of what is redacted.
        limit: how many.
    """
    values: dict[str, Any] = {"tenant_id": seen.tenant_id, "redacted": probe.redacted, "limit": limit}
    found = _BY_REDACTED if seen.everything else f"({_BY_REDACTED} AND {_OWN})"
    by_redacted = "true"
    if raw.everything or raw.agent_ids or raw.team is not None:
        by_raw = _BY_RAW if raw.everything else f"({_BY_RAW} AND {_OWN})"
        found, by_redacted = f"({found} OR {by_raw})", _BY_REDACTED
        values["raw"] = probe.raw
    conditions = ["i.tenant_id = :tenant_id", found]
    if _OWN in found:
        values["own"] = [*raw.agent_ids, *await _agents_of(session, raw)]
    for name, condition in _FILTERS.items():
        if (value := getattr(wanted, name)) is not None:
            conditions.append(condition)
            values[name] = value
    if wanted.after is not None:
        conditions.append("(i.started_at, i.call_id) < (:after_at, :after_id)")
        values |= {"after_at": wanted.after.started_at, "after_id": wanted.after.call_id}
    await _run(session, _BY_HASHES)
    statement = text(
        f"""
        WITH found AS MATERIALIZED (
            SELECT i.call_id, i.started_at FROM search_index i WHERE {" AND ".join(conditions)}
            ORDER BY i.started_at DESC, i.call_id DESC LIMIT :limit
        )
        SELECT {CALL_COLUMNS}, c.personal, k.kek_id, k.wrapped, k.commitment, {by_redacted} AS by_redacted,
            found.started_at AS placed_at, found.call_id AS placed_id
        FROM found
        JOIN search_index i ON i.call_id = found.call_id
        LEFT JOIN calls c ON c.call_id = found.call_id AND c.tenant_id = :tenant_id
        LEFT JOIN call_keys k ON k.call_id = c.call_id AND k.tenant_id = c.tenant_id
        {CALL_TABLES}
        ORDER BY found.started_at DESC, found.call_id DESC
        """  # noqa: S608 - made of constants
    )
    return [dict(row) for row in (await _run(session, statement, **values)).mappings()]


async def _agents_of(session: AsyncSession, scope: Scope) -> list[str]:
    """The phone system's names of a team's people."""
    if scope.team is None:
        return []
    found = await _run(session, _TEAM, tenant_id=scope.tenant_id, team=scope.team)
    return list(found.scalars())


async def _run(session: AsyncSession, statement: TextClause, **values: Any) -> CursorResult[Any]:
    return await (await session.connection()).execute(statement, values)
