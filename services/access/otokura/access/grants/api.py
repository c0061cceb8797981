"""Routes of grants."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from otokura.access.grants import making, repository
from otokura.access.grants.repository import GrantFilter
from otokura.access.grants.views import GrantBody, GrantCursor, GrantView
from otokura.access.identity import repository as identity
from otokura.access.permission import Concerned, Looking, manages_grants, tenant_of
from otokura.access.reads import gate
from otokura.access.state import State
from otokura.shared.address import ClientAddress
from otokura.shared.authentication import Authenticated
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

router = APIRouter(prefix="/v1/grants", tags=["grants"])


@router.post(
    "",
    status_code=201,
    response_model=GrantView,
    responses=responses(Unauthenticated, Forbidden, NotFound, Conflict, Unprocessable, Unavailable),
)
async def make_grant(
    body: GrantBody, state: State, token: Authenticated, place: ClientAddress, idempotency: Idempotency
) -> Response:
    """Lets one person read one call, as often and as long as it says. They read with `grant={id}`."""
    permit = await gate.permit(state, gate.Request(token, place, body.call_id, PolicyAction.GIVE_GRANT))
    await making.check_giver(state, permit, body)

    async def create() -> Created:
        record = await making.make(session, state.policies.decide, permit, body)
        return Created(GrantView.of(record, record.made_at))

    async with state.database.session() as session:
        return await idempotency.run(session, create)


@router.get("", responses=responses(BadRequest, Unauthenticated, Forbidden, Unavailable))
async def list_grants(
    state: State,
    reader: Looking,
    *,
    call_id: Annotated[UUID | None, Query(description="For this call.")] = None,
    reader_id: Annotated[UUID | None, Query(description="Given to this reader.")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorText = None,
) -> Page[GrantView]:
    """Grants that you gave or were given, newest first; all of the tenant's for who may take them back."""
    after = GrantCursor.decode(cursor)
    wanted = GrantFilter(
        concerning=None if manages_grants(state, reader) else reader.facts.id,
        call_id=call_id,
        reader_id=reader_id,
        before=after.id if after else None,
    )
    async with state.database.session() as session:
        found = await repository.newest(session, tenant_of(reader), wanted, limit + 1)
        at = await identity.now(session)
    items = [GrantView.of(record, at) for record in found[:limit]]
    following = GrantCursor(id=items[-1].id).encode() if len(found) > limit else None
    return Page(items=items, next_cursor=following)


@router.delete("/{grant_id}", status_code=204, responses=responses(Unauthenticated, Forbidden, NotFound))
async def revoke_grant(grant_id: UUID, state: State, reader: Concerned) -> None:
    """Takes a grant back, at once: who gave it, or who may take back others', from wherever they are."""
    async with state.database.session() as session:
        await making.revoke(session, grant_id, reader, manages=manages_grants(state, reader))
