"""What the services confirm, and which keys no longer exist."""

from __future__ import annotations

import json

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.lifecycle.erasing import AccessPart
from otokura.access.lifecycle.repository import execute
from otokura.access.lifecycle.service import SERVICES
from otokura.shared import erasing
from otokura.shared.consumer import EventContext, Subscription
from otokura.shared.errors import Poison
from otokura.shared.events import ErasureApplied, KekDestroyed

# Made here only where access itself was brought back from a backup of before.
_ENSURE = text("""
    INSERT INTO call_erasures (call_id, kind, tenant_id, erasure_id, begun_at, kek_ids)
    VALUES (:call_id, :kind, :tenant_id, :erasure_id, :shredded_at, '{}') ON CONFLICT DO NOTHING
""")
_LOCK = text("SELECT tenant_id FROM call_erasures WHERE call_id = :call_id AND kind = :kind FOR UPDATE")
# A service that was brought back from a backup, and so erased once more, confirms once more.
_CONFIRM = text("""
    INSERT INTO erasure_confirmations (call_id, kind, service, counts, kek_ids, shredded_at, applied_at)
    VALUES (:call_id, :kind, :service, CAST(:counts AS jsonb), :kek_ids, :shredded_at, :applied_at)
    ON CONFLICT (call_id, kind, service) DO UPDATE SET counts = excluded.counts, kek_ids = excluded.kek_ids,
        shredded_at = excluded.shredded_at, applied_at = excluded.applied_at
    WHERE erasure_confirmations.applied_at < excluded.applied_at
""")
_CONCLUDE = text("""
    UPDATE call_erasures x SET
        kek_ids = ARRAY(SELECT DISTINCT k FROM (
            SELECT unnest(x.kek_ids) AS k UNION SELECT unnest(n.kek_ids) FROM erasure_confirmations n
            WHERE n.call_id = x.call_id AND n.kind = x.kind) all_keks ORDER BY k),
        erased_at = CASE WHEN (SELECT count(*) FROM erasure_confirmations n
                WHERE n.call_id = x.call_id AND n.kind = x.kind AND n.service = ANY(:services)) = :needed
            THEN (SELECT max(n.applied_at) FROM erasure_confirmations n
                WHERE n.call_id = x.call_id AND n.kind = x.kind) END
    WHERE x.call_id = :call_id AND x.kind = :kind
""")
_DESTROYED = text("""
    INSERT INTO destroyed_keks (kek_id, destroyed_at) VALUES (:kek_id, :destroyed_at) ON CONFLICT DO NOTHING
""")


def subscriptions() -> list[Subscription]:
    """What access's consumer listens to for erasures."""
    return [
        *erasing.subscriptions(AccessPart()),
        Subscription(ErasureApplied, erasure_applied),
        Subscription(KekDestroyed, kek_destroyed),
    ]


async def erasure_applied(session: AsyncSession, event: ErasureApplied, _context: EventContext) -> None:
    """One service's confirmation; with the last one the call is erased.

    Raises:
        Poison: the call is known as another tenant's, or the service is none of those asked.
    """
    if event.service not in SERVICES:
        raise Poison("No such service was asked to erase anything.")
    which = {"call_id": event.call_id, "kind": event.kind.value}
    told = event.model_dump(include={"tenant_id", "erasure_id", "shredded_at"})
    await execute(session, _ENSURE, **which, **told)
    if (await execute(session, _LOCK, **which)).scalar_one() != event.tenant_id:
        raise Poison("The call belongs to another tenant.")
    confirmed = event.model_dump(include={"service", "kek_ids", "shredded_at", "applied_at"})
    await execute(session, _CONFIRM, **which, **confirmed, counts=json.dumps(event.counts))
    await execute(session, _CONCLUDE, **which, services=list(SERVICES), needed=len(SERVICES))


async def kek_destroyed(session: AsyncSession, event: KekDestroyed, _context: EventContext) -> None:
    """A key-encryption key is gone: erasures that only waited for that become final."""
    await execute(session, _DESTROYED, kek_id=event.kek_id, destroyed_at=event.destroyed_at)
