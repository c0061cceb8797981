"""What is older than its tenant keeps it is asked to be erased, some calls at a time."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.identity import repository as identity
from otokura.access.lifecycle import requests
from otokura.access.lifecycle.models import Erasure, Retention
from otokura.access.lifecycle.repository import HOLDING, execute
from otokura.access.lifecycle.views import Ground, RetentionRules
from otokura.shared.audit_entries import Action, AuditDraft
from otokura.shared.events import ErasedKind
from otokura.shared.ids import uuid7
from otokura.shared.outbox import publish_audit

RETIRING_LOCK = 0x6F746F6B_75726121
"""Advisory lock key: "otokura" and 33."""
BATCH = 500
# What is held is left out, not asked for: its time comes again when nobody holds it any more.
_DUE = text(f"""
    SELECT c.call_id FROM calls c
    WHERE c.tenant_id = :tenant_id AND c.started_at < clock_timestamp() - make_interval(days => :days)
        AND c.settled_at IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM call_erasures x
            WHERE x.call_id = c.call_id AND x.kind IN ('call', :kind))
        AND NOT EXISTS (SELECT 1 FROM erasure_items i
            WHERE i.call_id = c.call_id AND i.kind IN ('call', :kind) AND i.look_at IS NOT NULL)
        AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.call_id = c.call_id AND {HOLDING})
    ORDER BY c.started_at LIMIT :limit
""")  # noqa: S608 - constants


async def retire(session: AsyncSession, batch: int = BATCH) -> int:
    """Asks for what is due, of each tenant and kind at most `batch` calls; how many in all.

    One instance at a time: the others find the lock taken and do nothing.
    """
    lock = text("SELECT pg_try_advisory_xact_lock(:key)")
    if not (await execute(session, lock, key=RETIRING_LOCK)).scalar_one():
        return 0
    asked = 0
    for retention in (await session.exec(select(Retention))).all():
        rules = RetentionRules.model_validate(retention.rules)
        for kind in ErasedKind:
            days = rules.of(kind).max_days
            if days is not None:
                asked += await _retire(session, retention.tenant_id, kind, days, batch)
    return asked


async def _retire(session: AsyncSession, tenant_id: UUID, kind: ErasedKind, days: int, batch: int) -> int:
    due = await execute(session, _DUE, tenant_id=tenant_id, kind=kind.value, days=days, limit=batch)
    call_ids = [row.call_id for row in due]
    if not call_ids:
        return 0
    erasure = Erasure(
        id=uuid7(),
        tenant_id=tenant_id,
        kind=kind.value,
        selected_by="retention",
        ground=Ground.RETENTION,
        requested_at=await identity.now(session),
    )
    session.add(erasure)
    await session.flush()
    await requests.add_items(session, erasure.id, tenant_id, kind.value, call_ids)
    detail = {"erasure_id": erasure.id, "kind": kind, "ground": Ground.RETENTION, "max_days": days}
    draft = AuditDraft(
        action=Action.ERASURE_REQUESTED, tenant_id=tenant_id, detail={**detail, "calls": call_ids}
    )
    await publish_audit(session, draft)
    return len(call_ids)
