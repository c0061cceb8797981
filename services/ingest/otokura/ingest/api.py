"""The HTTP interface for phone systems."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request, Response, status

from otokura.ingest.dependencies import IngestState, Vendor, upload_limit
from otokura.ingest.hanging_up import end_call_of
from otokura.ingest.models import Call, CallState
from otokura.ingest.pausing import confirmed, set_paused
from otokura.ingest.repository import find, lock
from otokura.ingest.service import check_live
from otokura.ingest.starting import give_notice, start
from otokura.ingest.uploads import file
from otokura.ingest.uploads.incoming import incoming
from otokura.ingest.views import CallView, NoticeInput, StartCall, etag
from otokura.shared import errors
from otokura.shared.idempotency import Created, Idempotency
from otokura.shared.problems import responses

router = APIRouter(
    prefix="/v1/calls",
    tags=["calls"],
    responses=responses(errors.Unauthenticated, errors.Forbidden, errors.TooManyRequests, errors.Unavailable),
)


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    response_model=CallView,
    responses=responses(errors.BadRequest, errors.Conflict, errors.Unprocessable),
)
async def start_call(
    asked: StartCall, vendor: Vendor, state: IngestState, idempotency: Idempotency
) -> Response:
    """Start a call. Audio may follow at once, by stream or as a file."""
    settings = await state.tenant_settings(vendor.tenant_id)

    async def create() -> Created:
        call = await start(session, state, vendor, asked, settings)
        location = f"/v1/calls/{call.id}"
        return Created(CallView.of(call), headers={"ETag": etag(call), "Location": location})

    async with state.limits.turn(vendor.client_id), state.database.session() as session:
        return await idempotency.run(session, create)


@router.get("/{call_id}", response_model=CallView, responses={304: {}, **responses(errors.NotFound)})
async def get_call(
    call_id: UUID,
    vendor: Vendor,
    state: IngestState,
    response: Response,
    if_none_match: Annotated[str | None, Header()] = None,
) -> CallView | Response:
    """Show a call: its state, what is accepted, and its recording once it is sealed."""
    async with state.database.session() as session:
        call = await find(session, call_id, vendor.tenant_id)
    if if_none_match is not None and etag(call) in map(str.strip, if_none_match.split(",")):
        return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers={"ETag": etag(call)})
    return _shown(call, response)


@router.put("/{call_id}/notice", responses=responses(errors.NotFound, errors.Conflict))
async def put_notice(
    call_id: UUID, notice: NoticeInput, vendor: Vendor, state: IngestState, response: Response
) -> CallView:
    """Say that the caller has been told. Where the tenant demands it, audio is accepted from then on."""
    async with state.database.session() as session:
        call = await lock(session, call_id, vendor.tenant_id)
        check_live(call)
        await give_notice(session, call, notice)
    return _shown(await confirmed(state, call), response)


@router.post("/{call_id}/pause", responses=responses(errors.NotFound, errors.Conflict))
async def pause_call(call_id: UUID, vendor: Vendor, state: IngestState, response: Response) -> CallView:
    """Pause the recording, for instance while a card number is said: what comes until `resume` is a gap.

    200 means that it is paused. Repeating it changes nothing.
    """
    return _shown(await set_paused(state, vendor.tenant_id, call_id, paused=True), response)


@router.post("/{call_id}/resume", responses=responses(errors.NotFound, errors.Conflict))
async def resume_call(call_id: UUID, vendor: Vendor, state: IngestState, response: Response) -> CallView:
    """Record again."""
    return _shown(await set_paused(state, vendor.tenant_id, call_id, paused=False), response)


@router.put(
    "/{call_id}/audio",
    status_code=status.HTTP_201_CREATED,
    dependencies=[Depends(upload_limit)],
    responses=responses(
        errors.NotFound, errors.Conflict, errors.TooLarge, errors.UnsupportedMedia, errors.Unprocessable
    ),
)
async def put_audio(
    call_id: UUID, request: Request, vendor: Vendor, state: IngestState, response: Response
) -> CallView:
    """Upload the call's recording as a file. This ends the call: the file is its recording, as it is."""
    settings = await state.tenant_settings(vendor.tenant_id)
    upload = await file.begin(state, vendor.tenant_id, call_id, settings)
    return _shown(await upload.run(incoming(state, request)), response)


@router.post(
    "/{call_id}/end",
    status_code=status.HTTP_202_ACCEPTED,
    responses={200: {"model": CallView}, **responses(errors.NotFound)},
)
async def end_call(call_id: UUID, vendor: Vendor, state: IngestState, response: Response) -> CallView:
    """End the call. 202: it is being sealed, or still being stored; 200: it was ended. May be repeated."""
    async with state.database.session() as session:
        call = await find(session, call_id, vendor.tenant_id)
    if call.state == CallState.LIVE:
        call = await end_call_of(state, call)
    if call.state in (CallState.SEALED, CallState.FAILED, CallState.EMPTY):
        response.status_code = status.HTTP_200_OK
    return _shown(call, response)


def _shown(call: Call, response: Response) -> CallView:
    response.headers["ETag"] = etag(call)
    response.headers["Cache-Control"] = "no-store"
    return CallView.of(call)
