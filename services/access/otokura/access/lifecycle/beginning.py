"""The erasure of one call begins: the moment from which nothing brings it back.

In one transaction, under the lock for which holds contend: the tombstone is laid, access forgets the call
and its key, and every other service is asked to do the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.identity import repository as identity
from otokura.access.lifecycle import repository
from otokura.access.lifecycle.erasing import AccessPart
from otokura.access.lifecycle.service import SERVICES, wait_of
from otokura.shared.audit_entries import Action, AuditDraft
from otokura.shared.erasing import erase
from otokura.shared.events import ErasedKind, ErasureRequested
from otokura.shared.outbox import publish, publish_audit

_BEGIN = text("""
    INSERT INTO call_erasures (call_id, kind, tenant_id, erasure_id, begun_at, kek_ids)
    VALUES (:call_id, :kind, :tenant_id, :erasure_id, clock_timestamp(), '{}')
""")
_CLOSE = text("UPDATE call_lifecycles SET erasing_at = clock_timestamp() WHERE call_id = :call_id")


async def begin_next(session: AsyncSession) -> UUID | None:
    """Looks at the item that has been due for longest: it begins, or waits on. None when none is due.

    Returns:
        The call.
    """
    item = await repository.next_item(session)
    if item is None:
        return None
    call_id: UUID = item["call_id"]
    tenant_id, kind = item["tenant_id"], ErasedKind(item["kind"])
    await repository.lock_call(session, tenant_id, call_id)
    begun = await repository.begun_at(session, call_id, kind)
    standing = None if begun else await repository.standing(session, tenant_id, call_id)
    if begun is not None or standing is None:
        await repository.conclude(session, item, begun)
        return call_id
    rules = await repository.rules(session, tenant_id)
    wait = wait_of(standing, rules, kind, await identity.now(session))
    if wait is not None:
        await repository.postpone(session, item, wait)
        return call_id
    await _begin(session, item, kind)
    await repository.conclude(session, item, None)
    return call_id


async def _begin(session: AsyncSession, item: Mapping[str, Any], kind: ErasedKind) -> None:
    which = {name: item[name] for name in ("call_id", "tenant_id", "erasure_id")}
    await repository.execute(session, _BEGIN, **which, kind=kind.value)
    if kind is ErasedKind.CALL:
        await repository.execute(session, _CLOSE, call_id=item["call_id"])
    event = ErasureRequested(**which, version=1, kind=kind, requested_at=item["requested_at"])
    await erase(session, event, AccessPart())
    await publish(session, event)
    # It names nobody, so that a certificate can be handed to the person concerned: who asked and why stands
    # in the request's own entry.
    detail = {
        "erasure_id": item["erasure_id"],
        "kind": kind,
        "ground": item["ground"],
        "requested_at": item["requested_at"],
        "services": list(SERVICES),
    }
    draft = AuditDraft(
        action=Action.ERASURE_BEGUN, tenant_id=item["tenant_id"], call_id=item["call_id"], detail=detail
    )
    await publish_audit(session, draft)
