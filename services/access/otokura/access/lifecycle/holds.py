"""Holds are set and lifted: each is one transaction of the row and its entry, under the call's own lock."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.errors import BeingErased
from otokura.access.identity import repository as identity
from otokura.access.identity.subject import Reader
from otokura.access.lifecycle import repository
from otokura.access.lifecycle.models import Hold
from otokura.access.lifecycle.views import HoldBody, HoldView
from otokura.access.permission import entry, tenant_of
from otokura.shared.audit_entries import Action
from otokura.shared.errors import Conflict, NotFound, Unprocessable
from otokura.shared.ids import uuid7
from otokura.shared.outbox import publish_audit

MOST_HOLDS = 100
"""Of one call."""


async def set_hold(session: AsyncSession, call_id: UUID, body: HoldBody, officer: Reader) -> Hold:
    """Holds what there is of a call: from the commit on it is not erased, by whatever way.

    Of what is being erased by itself, as the recording before its transcript, the rest can still be held.

    Raises:
        BeingErased: its erasure has begun; nothing stops it.
        Conflict: it is held very often already.
        Unprocessable: the hold would have ended already.
    """
    tenant_id = tenant_of(officer)
    if await repository.lock_call(session, tenant_id, call_id) is not None:
        raise BeingErased("The erasure of this call has begun: its key is destroyed, and nothing stops it.")
    if len(await repository.holds(session, tenant_id, call_id)) >= MOST_HOLDS:
        raise Conflict(f"There are {MOST_HOLDS} holds on this call already.")
    now = await identity.now(session)
    if body.ends_at is not None and body.ends_at <= now:
        raise Unprocessable("ends_at lies in the past: such a hold would keep nothing.")
    hold = Hold(
        id=uuid7(),
        call_id=call_id,
        tenant_id=tenant_id,
        set_by=officer.facts.id,
        set_at=now,
        **body.model_dump(),
    )
    session.add(hold)
    await session.flush()
    gone = await repository.erased(session, tenant_id, call_id)
    detail = {"hold_id": hold.id, **body.model_dump(), "erased": gone}
    await publish_audit(session, entry(Action.HOLD_SET, officer, detail, call_id))
    return hold


async def lift_hold(
    session: AsyncSession, call_id: UUID, hold_id: UUID, reason: str, officer: Reader
) -> Hold:
    """Lifts a hold. What waits for it to go is looked at at once, and may still wait for another.

    Raises:
        NotFound: the call has no such hold.
        Conflict: it is lifted already.
    """
    tenant_id = tenant_of(officer)
    await repository.lock_call(session, tenant_id, call_id)
    hold = await repository.hold(session, tenant_id, call_id, hold_id)
    if hold is None:
        raise NotFound("There is no such hold on this call.")
    if hold.lifted_at is not None:
        raise Conflict("This hold is lifted already.")
    hold.lifted_by, hold.lifted_because = officer.facts.id, reason
    hold.lifted_at = await identity.now(session)
    session.add(hold)
    await session.flush()
    await repository.look_now(session, call_id)
    detail = {"hold_id": hold.id, "case_number": hold.case_number, "reason": reason}
    await publish_audit(session, entry(Action.HOLD_LIFTED, officer, detail, call_id))
    return hold


async def views(
    session: AsyncSession, tenant_id: UUID, call_id: UUID, held: Sequence[Hold]
) -> list[HoldView]:
    """Holds of a call as they are shown, with what none of them keeps."""
    gone = await repository.erased(session, tenant_id, call_id)
    return [HoldView.model_validate({**hold.model_dump(), "erased": gone}) for hold in held]
