"""Every query about requested erasures and their calls: what was asked for, and how far it has come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.lifecycle.repository import execute

_STATE = """CASE
    WHEN i.begun_at IS NULL AND i.look_at IS NULL THEN 'withdrawn'
    WHEN i.begun_at IS NULL THEN 'waiting'
    WHEN x.final_at IS NOT NULL THEN 'final'
    WHEN x.erased_at IS NOT NULL THEN 'erased' ELSE 'erasing' END"""
# A call that was erased as a whole has lost its parts as well.
_PROGRESS = """LEFT JOIN LATERAL (
        SELECT p.* FROM call_erasures p WHERE p.call_id = i.call_id AND p.kind IN ('call', i.kind)
        ORDER BY p.kind LIMIT 1
    ) x ON true"""
_ADD = text("""
    INSERT INTO erasure_items (erasure_id, call_id, tenant_id, kind, look_at)
    SELECT :erasure_id, each.call_id, :tenant_id, :kind, clock_timestamp()
    FROM unnest(CAST(:call_ids AS uuid[])) AS each (call_id)
""")
_KNOWN = text("""
    SELECT call_id, external_id, started_at FROM calls
    WHERE tenant_id = :tenant_id AND call_id = ANY(:call_ids) AND external_id IS NOT NULL
    ORDER BY started_at, call_id
""")
_COUNTS = text(f"""
    SELECT i.erasure_id, {_STATE} AS state, count(*) AS calls
    FROM erasure_items i {_PROGRESS} WHERE i.erasure_id = ANY(:erasure_ids) GROUP BY 1, 2
""")  # noqa: S608 - constants
_ITEMS = text(f"""
    SELECT i.call_id, {_STATE} AS state, i.waits_for, i.begun_at, x.erased_at, x.final_at,
        coalesce((SELECT json_agg(json_build_object('service', n.service, 'counts', n.counts,
                'shredded_at', n.shredded_at, 'applied_at', n.applied_at) ORDER BY n.service)
            FROM erasure_confirmations n WHERE n.call_id = x.call_id AND n.kind = x.kind), '[]')
            AS confirmations
    FROM erasure_items i {_PROGRESS}
    WHERE i.erasure_id = :erasure_id AND (CAST(:after AS uuid) IS NULL OR i.call_id > :after)
    ORDER BY i.call_id LIMIT :limit
""")  # noqa: S608 - constants
_WITHDRAW = text("""
    UPDATE erasure_items SET look_at = NULL, waits_for = NULL
    WHERE erasure_id = :erasure_id AND begun_at IS NULL
""")


async def add_items(
    session: AsyncSession, erasure_id: UUID, tenant_id: UUID, kind: str, call_ids: Sequence[UUID]
) -> None:
    """The calls of an erasure; somebody looks at once whether they may begin."""
    about = {"erasure_id": erasure_id, "tenant_id": tenant_id, "kind": kind}
    await execute(session, _ADD, **about, call_ids=list(call_ids))


async def known(session: AsyncSession, tenant_id: UUID, call_ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """Those of the calls that the tenant has, oldest first."""
    found = await execute(session, _KNOWN, tenant_id=tenant_id, call_ids=list(call_ids))
    return [dict(row) for row in found.mappings()]


async def counts(session: AsyncSession, erasure_ids: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
    """By erasure, how many of its calls are in which state."""
    every: dict[UUID, dict[str, int]] = {
        one: dict.fromkeys(("waiting", "erasing", "erased", "final", "withdrawn"), 0) for one in erasure_ids
    }
    for row in await execute(session, _COUNTS, erasure_ids=list(erasure_ids)):
        every[row.erasure_id][row.state] = row.calls
    return every


async def items(
    session: AsyncSession, erasure_id: UUID, after: UUID | None, limit: int
) -> list[dict[str, Any]]:
    """An erasure's calls in the order of their ids, with what each service has confirmed."""
    found = await execute(session, _ITEMS, erasure_id=erasure_id, after=after, limit=limit)
    return [dict(row) for row in found.mappings()]


async def withdraw(session: AsyncSession, erasure_id: UUID) -> int:
    """Takes back what has not begun; how many calls that are."""
    return (await execute(session, _WITHDRAW, erasure_id=erasure_id)).rowcount
