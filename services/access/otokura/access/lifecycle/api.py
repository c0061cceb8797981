"""Routes of erasures."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Response

from otokura.access.lifecycle import erasures, repository, requests
from otokura.access.lifecycle.views import (
    CallSelection,
    ErasedCallView,
    ErasureBody,
    ErasureCursor,
    ErasureView,
    ItemCursor,
    Preview,
)
from otokura.access.permission import Eraser, tenant_of
from otokura.access.state import State
from otokura.shared.audit_entries import ENTRY_ID
from otokura.shared.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    Unprocessable,
)
from otokura.shared.idempotency import Created, Idempotency
from otokura.shared.pagination import DEFAULT_LIMIT, CursorText, Limit, Page
from otokura.shared.problems import responses

router = APIRouter(prefix="/v1/erasures", tags=["erasures"])


@router.post(
    "",
    status_code=201,
    response_model=ErasureView,
    responses=responses(Unauthenticated, Forbidden, Conflict, Unprocessable, TooManyRequests, Unavailable),
)
async def create_erasure(
    body: ErasureBody, state: State, officer: Eraser, idempotency: Idempotency
) -> Response:
    """Has calls erased: some by their ids, or all of a customer's so far.

    Where some calls only may be the customer's, nothing is erased before it is said what becomes of them.

    A call that is held, still recorded, or kept for a minimum time waits until it is not. What has begun
    cannot be stopped.
    """
    found = await erasures.chosen_calls(state, body, officer)
    headers = {ENTRY_ID: str(found.entry_id)} if found.entry_id is not None else {}

    async def create() -> Created:
        return Created(await erasures.create(session, body, found, officer), headers=headers)

    async with state.database.session() as session:
        return await idempotency.run(session, create)


@router.post(
    "/preview",
    responses=responses(Unauthenticated, Forbidden, Unprocessable, TooManyRequests, Unavailable),
)
async def preview(body: CallSelection, state: State, officer: Eraser, response: Response) -> Preview:
    """Which calls an erasure would cover, and may, and what each would wait for; nothing is erased."""
    shown, entry_id = await erasures.preview(state, body, officer)
    response.headers[ENTRY_ID] = str(entry_id)
    return shown


@router.get("", responses=responses(BadRequest, Unauthenticated, Forbidden))
async def list_erasures(
    state: State, officer: Eraser, limit: Limit = DEFAULT_LIMIT, cursor: CursorText = None
) -> Page[ErasureView]:
    """The tenant's erasures and how far they have come, newest first; those by retention, too."""
    place = ErasureCursor.decode(cursor)
    async with state.database.session() as session:
        before = place.id if place else None
        found = await repository.newest(session, tenant_of(officer), before, limit + 1)
        items = await erasures.views(session, found[:limit])
    following = ErasureCursor(id=items[-1].id).encode() if len(found) > limit else None
    return Page(items=items, next_cursor=following)


@router.get("/{erasure_id}", responses=responses(Unauthenticated, Forbidden, NotFound))
async def get_erasure(erasure_id: UUID, state: State, officer: Eraser) -> ErasureView:
    """An erasure and how far it has come."""
    async with state.database.session() as session:
        found = await erasures.find(session, officer, erasure_id)
        return (await erasures.views(session, [found]))[0]


@router.delete("/{erasure_id}", responses=responses(Unauthenticated, Forbidden, NotFound, Conflict))
async def withdraw_erasure(erasure_id: UUID, state: State, officer: Eraser) -> ErasureView:
    """Withdraws what has not begun; the record stays."""
    async with state.database.session() as session:
        return await erasures.withdraw(session, officer, erasure_id)


@router.get("/{erasure_id}/calls", responses=responses(BadRequest, Unauthenticated, Forbidden, NotFound))
async def list_erased_calls(
    erasure_id: UUID,
    state: State,
    officer: Eraser,
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorText = None,
) -> Page[ErasedCallView]:
    """The calls of an erasure: what each waits for, and what each service has confirmed."""
    place = ItemCursor.decode(cursor)
    async with state.database.session() as session:
        await erasures.find(session, officer, erasure_id)
        found = await requests.items(session, erasure_id, place.call_id if place else None, limit + 1)
    items = [ErasedCallView.of(row) for row in found[:limit]]
    following = ItemCursor(call_id=items[-1].call_id).encode() if len(found) > limit else None
    return Page(items=items, next_cursor=following)
