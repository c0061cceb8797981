"""Routes of broken glass."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Response

from otokura.access.break_glass import breaking, repository
from otokura.access.break_glass.views import GlassBody, GlassCursor, GlassView
from otokura.access.errors import OwnApproval
from otokura.access.permission import (
    Concerned,
    GlassApprover,
    GlassAsker,
    Looking,
    manages_grants,
    record_denial,
    tenant_of,
)
from otokura.access.policy.denial import Denial
from otokura.access.state import State
from otokura.shared.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    Unauthenticated,
    Unavailable,
    Unprocessable,
)
from otokura.shared.idempotency import Created, Idempotency
from otokura.shared.pagination import DEFAULT_LIMIT, CursorText, Limit, Page
from otokura.shared.policy.facts import PolicyAction
from otokura.shared.problems import responses

router = APIRouter(prefix="/v1/break-glass", tags=["break-glass"])


@router.post(
    "",
    status_code=201,
    response_model=GlassView,
    responses=responses(Unauthenticated, Forbidden, Conflict, Unprocessable),
)
async def ask(body: GlassBody, state: State, asker: GlassAsker, idempotency: Idempotency) -> Response:
    """Asks for every call of the company. Nothing is opened until somebody else approves, within minutes."""

    async def create() -> Created:
        return Created(await breaking.ask(session, body, asker))

    async with state.database.session() as session:
        return await idempotency.run(session, create)


@router.get("", responses=responses(BadRequest, Unauthenticated, Forbidden, Unavailable))
async def list_glass(
    state: State, reader: Looking, limit: Limit = DEFAULT_LIMIT, cursor: CursorText = None
) -> Page[GlassView]:
    """What you asked for, newest first; what anybody of the tenant did, for who may end it."""
    after = GlassCursor.decode(cursor)
    asker = None if manages_grants(state, reader) else reader.facts.id
    async with state.database.session() as session:
        found = await repository.newest(
            session, tenant_of(reader), asker, after.id if after else None, limit + 1
        )
        at = await repository.clock(session)
    items = [GlassView.of(glass, at) for glass in found[:limit]]
    following = GlassCursor(id=items[-1].id).encode() if len(found) > limit else None
    return Page(items=items, next_cursor=following)


@router.put(
    "/{glass_id}/approval",
    responses=responses(Unauthenticated, OwnApproval, NotFound, Conflict),
)
async def approve(glass_id: UUID, state: State, approver: GlassApprover) -> GlassView:
    """Opens every call of the company to who asked, for the minutes that they asked for, from now on."""
    try:
        async with state.database.session() as session:
            return await breaking.approve(session, glass_id, approver)
    except OwnApproval as error:
        denial = Denial(error, (error.code,))
        await record_denial(state, approver, denial, PolicyAction.APPROVE_BREAK_GLASS)
        raise


@router.delete("/{glass_id}", status_code=204, responses=responses(Unauthenticated, Forbidden, NotFound))
async def end(glass_id: UUID, state: State, reader: Concerned) -> None:
    """Ends it at once: who asked or approved, or who may take back what others were given, from anywhere."""
    async with state.database.session() as session:
        await breaking.end(session, glass_id, reader, manages=manages_grants(state, reader))
