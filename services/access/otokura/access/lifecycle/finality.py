"""An erasure is final when every key is destroyed that had wrapped the call's key: then no copy opens."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.lifecycle.repository import execute
from otokura.shared.audit_entries import Action, AuditDraft
from otokura.shared.events import ErasedKind
from otokura.shared.outbox import publish_audit

BATCH = 200
# Without a key that is known nothing is ever final: nobody can say when its copies stop to open.
_DUE = text("""
    SELECT x.call_id, x.tenant_id, x.erasure_id, x.kek_ids, x.erased_at FROM call_erasures x
    WHERE x.kind = 'call' AND x.final_at IS NULL AND x.erased_at IS NOT NULL AND x.kek_ids <> '{}'
        AND x.kek_ids <@ (SELECT array_agg(CAST(d.kek_id AS text)) FROM destroyed_keks d)
    ORDER BY x.erased_at LIMIT :limit FOR UPDATE OF x SKIP LOCKED
""")
_WHEN = text("SELECT kek_id, destroyed_at FROM destroyed_keks WHERE kek_id = ANY(:kek_ids) ORDER BY kek_id")
_FINISH = text("UPDATE call_erasures SET final_at = :final_at WHERE call_id = :call_id AND kind = 'call'")


async def conclude_batch(session: AsyncSession, limit: int = BATCH) -> int:
    """Notes some erasures as final, each with its entry; how many."""
    due = (await execute(session, _DUE, limit=limit)).all()
    for row in due:
        found = await execute(session, _WHEN, kek_ids=row.kek_ids)
        destroyed: dict[str, datetime] = {each.kek_id: each.destroyed_at for each in found}
        final_at = max(row.erased_at, *destroyed.values())
        await execute(session, _FINISH, final_at=final_at, call_id=row.call_id)
        detail: dict[str, Any] = {
            "erasure_id": row.erasure_id,
            "kind": ErasedKind.CALL,
            "kek_ids": row.kek_ids,
            "destroyed": destroyed,
            "final_at": final_at,
        }
        draft = AuditDraft(
            action=Action.ERASURE_FINAL, tenant_id=row.tenant_id, call_id=row.call_id, detail=detail
        )
        await publish_audit(session, draft)
    return len(due)
