"""Routes of transcribing again, for a tenant's administrators and for operators."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Response

from otokura.access.permission import TranscriptionManager
from otokura.access.state import State
from otokura.access.transcriptions import repository, service
from otokura.access.transcriptions.views import (
    Matching,
    Selection,
    TranscriptionBody,
    TranscriptionCursor,
    TranscriptionView,
)
from otokura.shared.errors import BadRequest, Conflict, Forbidden, NotFound, Unauthenticated, Unprocessable
from otokura.shared.idempotency import Created, Idempotency
from otokura.shared.pagination import DEFAULT_LIMIT, CursorText, Limit, Page
from otokura.shared.problems import responses

router = APIRouter(prefix="/v1/transcriptions", tags=["transcriptions"])


@router.post(
    "",
    status_code=201,
    response_model=TranscriptionView,
    responses=responses(Unauthenticated, Forbidden, Conflict, Unprocessable),
)
async def transcribe_again(
    body: TranscriptionBody, state: State, reader: TranscriptionManager, idempotency: Idempotency
) -> Response:
    """Has recordings transcribed again, behind all fresh ones. Older versions are kept."""

    async def create() -> Created:
        return Created(await service.create(session, body, reader))

    async with state.database.session() as session:
        return await idempotency.run(session, create)


@router.get("", responses=responses(BadRequest, Unauthenticated, Forbidden))
async def list_transcriptions(
    state: State, reader: TranscriptionManager, limit: Limit = DEFAULT_LIMIT, cursor: CursorText = None
) -> Page[TranscriptionView]:
    """What was asked for and how far it has come, newest first."""
    place = TranscriptionCursor.decode(cursor)
    async with state.database.session() as session:
        found = await service.page(session, reader, place.id if place else None, limit + 1)
    items = found[:limit]
    following = TranscriptionCursor(id=items[-1].id).encode() if len(found) > limit else None
    return Page(items=items, next_cursor=following)


@router.post("/preview", responses=responses(Unauthenticated, Forbidden, Unprocessable))
async def preview(body: Selection, state: State, reader: TranscriptionManager) -> Matching:
    """How many calls would be transcribed again; nothing is asked of anybody."""
    async with state.database.session() as session:
        tenant_id = service.tenant_meant(body, reader)
        return Matching(calls=await repository.matching(session, body, tenant_id))


@router.get("/{request_id}", responses=responses(Unauthenticated, Forbidden, NotFound))
async def get_transcription(
    request_id: UUID, state: State, reader: TranscriptionManager
) -> TranscriptionView:
    """A request and how far it has come."""
    async with state.database.session() as session:
        return await service.read(session, request_id, reader)
