"""Routes of leak signals, for a tenant's administrators."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter

from otokura.access.errors import OwnPause
from otokura.access.permission import SignalManager, entry, record_denial, tenant_of
from otokura.access.policy.denial import Denial
from otokura.access.signals import repository
from otokura.access.signals.views import PauseList, PauseView, SignalCursor, SignalView
from otokura.access.state import State
from otokura.shared.audit_entries import Action
from otokura.shared.errors import BadRequest, Forbidden, NotFound, Unauthenticated
from otokura.shared.outbox import publish_audit
from otokura.shared.pagination import DEFAULT_LIMIT, CursorText, Limit, Page
from otokura.shared.policy.facts import PolicyAction
from otokura.shared.problems import responses

router = APIRouter(prefix="/v1", tags=["signals"])


@router.get("/signals", responses=responses(BadRequest, Unauthenticated, Forbidden))
async def list_signals(
    state: State, admin: SignalManager, limit: Limit = DEFAULT_LIMIT, cursor: CursorText = None
) -> Page[SignalView]:
    """What rules matched whom, newest first."""
    after = SignalCursor.decode(cursor)
    async with state.database.session() as session:
        found = await repository.newest(session, tenant_of(admin), after.id if after else None, limit + 1)
    items = [SignalView.model_validate(signal.model_dump()) for signal in found[:limit]]
    following = SignalCursor(id=items[-1].id).encode() if len(found) > limit else None
    return Page(items=items, next_cursor=following)


@router.get("/pauses", responses=responses(Unauthenticated, Forbidden))
async def list_pauses(state: State, admin: SignalManager) -> PauseList:
    """Who may not read, because a signal's rule says so."""
    async with state.database.session() as session:
        found = await repository.paused(session, tenant_of(admin))
    items = [{"reader_id": who.id, "name": who.name, "since": who.paused_at} for who in found]
    return PauseList(items=[PauseView.model_validate(item) for item in items])


@router.delete(
    "/pauses/{reader_id}",
    status_code=204,
    responses=responses(Unauthenticated, OwnPause, NotFound),
)
async def lift_pause(reader_id: UUID, state: State, admin: SignalManager) -> None:
    """Lets somebody read again, at once; what they read is counted anew. Nobody lifts their own."""
    if reader_id == admin.facts.id:
        error = OwnPause("Another administrator must look at how you read.")
        await record_denial(state, admin, Denial(error, (error.code,)), PolicyAction.MANAGE_SIGNALS)
        raise error
    async with state.database.session() as session:
        reader = await repository.reader(session, tenant_of(admin), reader_id)
        if reader is None or reader.paused_at is None:
            raise NotFound("Nobody of this id is paused.")
        about = {"id": str(reader.id), "name": reader.name, "since": reader.paused_at.isoformat()}
        reader.paused_at = None
        session.add(reader)
        await repository.clear(session, reader.id)
        await publish_audit(session, entry(Action.PAUSE_LIFTED, admin, {"reader": about}))
