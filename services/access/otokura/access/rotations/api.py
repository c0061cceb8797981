"""Routes of rotations of key-encryption keys, for operators. No key passes through them."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Response

from otokura.access.errors import KeysInUse, RotationOpen
from otokura.access.permission import KeyRotator
from otokura.access.rotations import service
from otokura.access.rotations.views import RotationBody, RotationCursor, RotationView
from otokura.access.state import State
from otokura.access.wrapped_keys import rewrapper_of
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
from otokura.shared.problems import responses

router = APIRouter(prefix="/v1/key-rotations", tags=["keys"])


@router.post(
    "",
    status_code=201,
    response_model=RotationView,
    responses=responses(Unauthenticated, Forbidden, Conflict, RotationOpen, Unprocessable, Unavailable),
)
async def begin_rotation(
    body: RotationBody, state: State, operator: KeyRotator, idempotency: Idempotency
) -> Response:
    """Has everything wrapped anew by key-encryption keys that were just made; reads and calls go on.

    503 while this service does not know the new key yet: try again.
    """

    async def create() -> Created:
        return Created(await service.begin(session, body, retiring, operator))

    service.check_named(body, state.settings.key_provider)
    retiring = await rewrapper_of(state).old_keks(body.kek_id)
    async with state.database.session() as session:
        return await idempotency.run(session, create)


@router.get("", responses=responses(BadRequest, Unauthenticated, Forbidden))
async def list_rotations(
    state: State, _operator: KeyRotator, limit: Limit = DEFAULT_LIMIT, cursor: CursorText = None
) -> Page[RotationView]:
    """Rotations and how far they have come, newest first."""
    place = RotationCursor.decode(cursor)
    async with state.database.session() as session:
        found = await service.page(session, place.id if place else None, limit + 1)
    items = found[:limit]
    following = RotationCursor(id=items[-1].id).encode() if len(found) > limit else None
    return Page(items=items, next_cursor=following)


@router.get("/{rotation_id}", responses=responses(Unauthenticated, Forbidden, NotFound))
async def get_rotation(rotation_id: UUID, state: State, _operator: KeyRotator) -> RotationView:
    """A rotation and how far it has come."""
    async with state.database.session() as session:
        return await service.read(session, rotation_id)


@router.post(
    "/{rotation_id}/completion",
    responses=responses(Unauthenticated, Forbidden, NotFound, KeysInUse, Unavailable),
)
async def complete_rotation(rotation_id: UUID, state: State, operator: KeyRotator) -> RotationView:
    """Notes that the retiring keys were destroyed; the key provider is asked whether that is so."""
    async with state.database.session() as session:
        return await service.complete(session, state, rotation_id, operator)
