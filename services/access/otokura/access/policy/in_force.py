"""Which policies are in force, for the log: they are files, so nobody changes them over HTTP.

Whoever starts with other policies than were in force last writes an entry of it, in the transaction that
notes them. Who put the files there, access cannot know; the entry says which process found them, and when.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.policy.models import PoliciesInForce
from otokura.shared.audit_entries import Action, AuditDraft
from otokura.shared.outbox import publish_audit
from otokura.shared.policy.engine import PolicyEngine

_ONE = 1


async def note(session: AsyncSession, engine: PolicyEngine) -> bool:
    """Notes the policies that this process decides by; True if others were in force before.

    Args:
        session: its transaction holds the note and the entry.
        engine: the policies.
    """
    empty: dict[str, Any] = {"id": _ONE, "version": "", "names": []}
    await (await session.connection()).execute(upsert(PoliciesInForce).values(empty).on_conflict_do_nothing())
    locked = select(PoliciesInForce).where(col(PoliciesInForce.id) == _ONE).with_for_update()
    record = (await session.exec(locked)).one()
    if record.version == engine.version:
        return False
    before, names = set(record.names), sorted(engine.names)
    detail = {
        "before": record.version or None,
        "after": engine.version,
        "policies": names,
        "added": sorted(engine.names - before),
        "removed": sorted(before - engine.names),
    }
    record.version, record.names = engine.version, names
    session.add(record)
    await publish_audit(session, AuditDraft(action=Action.POLICIES_CHANGED, detail=detail))
    return True
