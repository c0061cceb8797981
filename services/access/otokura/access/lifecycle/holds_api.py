"""Routes of holds."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Response

from otokura.access.errors import BeingErased
from otokura.access.lifecycle import holds, repository
from otokura.access.lifecycle.views import HoldBody, HoldList, HoldView, LiftBody
from otokura.access.permission import tenant_of
from otokura.access.reads import gate
from otokura.access.state import State
from otokura.shared.address import ClientAddress
from otokura.shared.authentication import Authenticated
from otokura.shared.errors import Conflict, Forbidden, NotFound, Unauthenticated, Unavailable, Unprocessable
from otokura.shared.idempotency import Created, Idempotency
from otokura.shared.policy.facts import PolicyAction
from otokura.shared.problems import responses

router = APIRouter(prefix="/v1/calls", tags=["holds"])

_DENIALS = responses(Unauthenticated, Forbidden, NotFound, Unavailable)


@router.post(
    "/{call_id}/holds",
    status_code=201,
    response_model=HoldView,
    responses=_DENIALS | responses(BeingErased, Conflict, Unprocessable),
)
async def set_hold(
    call_id: UUID,
    body: HoldBody,
    state: State,
    token: Authenticated,
    place: ClientAddress,
    idempotency: Idempotency,
) -> Response:
    """Holds a call: nothing of it is erased, whoever asks, until every hold is lifted or has ended.

    What was erased before, or is being erased, no hold brings back: the answer names it (`erased`).
    """
    permit = await gate.permit(state, gate.Request(token, place, call_id, PolicyAction.HOLD))

    async def create() -> Created:
        hold = await holds.set_hold(session, call_id, body, permit.reader)
        [view] = await holds.views(session, hold.tenant_id, call_id, [hold])
        return Created(view)

    async with state.database.session() as session:
        return await idempotency.run(session, create)


@router.get("/{call_id}/holds", responses=_DENIALS)
async def list_holds(call_id: UUID, state: State, token: Authenticated, place: ClientAddress) -> HoldList:
    """The holds of a call, with who set and lifted them and why."""
    permit = await gate.permit(state, gate.Request(token, place, call_id, PolicyAction.HOLD))
    tenant_id = tenant_of(permit.reader)
    async with state.database.session() as session:
        found = await repository.holds(session, tenant_id, call_id)
        return HoldList(items=await holds.views(session, tenant_id, call_id, found))


@router.post("/{call_id}/holds/{hold_id}/lift", responses=_DENIALS | responses(Conflict))
async def lift_hold(
    call_id: UUID,
    hold_id: UUID,
    body: LiftBody,
    state: State,
    token: Authenticated,
    place: ClientAddress,
) -> HoldView:
    """Lifts a hold. An erasure that waited for it begins, unless there is another."""
    permit = await gate.permit(state, gate.Request(token, place, call_id, PolicyAction.HOLD))
    async with state.database.session() as session:
        hold = await holds.lift_hold(session, call_id, hold_id, body.reason, permit.reader)
        [view] = await holds.views(session, hold.tenant_id, call_id, [hold])
        return view
