"""tus 1.0.0 over HTTP: https://tus.io/protocols/resumable-upload."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, HTTPException, Request, Response, status
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from otokura.ingest.dependencies import Caller, IngestState, Vendor, upload_limit
from otokura.ingest.errors import EmptyAudio
from otokura.ingest.repository import find as find_call
from otokura.ingest.repository import lock, now
from otokura.ingest.service import check_upload
from otokura.ingest.state import State
from otokura.ingest.uploads import answering, tus
from otokura.ingest.uploads.errors import BeyondLength, FileTooLarge, UnsupportedVersion, WrongOffset
from otokura.ingest.uploads.incoming import incoming
from otokura.ingest.uploads.models import Upload, UploadState
from otokura.ingest.uploads.parts import PartKey
from otokura.ingest.uploads.receiving import Receiving, Stored, Writing
from otokura.ingest.uploads.repository import begin_writing, create, find, terminate
from otokura.shared import errors, problems
from otokura.shared.errors import BadRequest, OtokuraError
from otokura.shared.ids import uuid7
from otokura.shared.problems import responses

_Header = Annotated[str | None, Header()]
_RESUMABLE = {"Tus-Resumable": tus.VERSION, "Cache-Control": "no-store"}


class TusRoute(APIRoute):
    """Says in every answer, refusals too, which version of the protocol it is in."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with the protocol's headers on whatever it answers or raises."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                response = await handler(request)
            except (OtokuraError, HTTPException) as error:
                error.headers = {**(error.headers or {}), **_RESUMABLE}
                raise
            except RequestValidationError as error:
                response = problems.response_of(error)
            response.headers.update(_RESUMABLE)
            return response

        return handle


def check_version(tus_resumable: _Header = None) -> None:
    """Every request but OPTIONS says which version it is in."""
    if tus_resumable != tus.VERSION:
        raise UnsupportedVersion(tus.VERSION)


router = APIRouter(
    prefix="/v1",
    tags=["uploads"],
    route_class=TusRoute,
    responses=responses(
        errors.Unauthenticated,
        errors.Forbidden,
        errors.NotFound,
        errors.PreconditionFailed,
        errors.Unavailable,
    ),
)
_TUS = [Depends(check_version)]
_BODY = [*_TUS, Depends(upload_limit)]
_PUBLIC: dict[str, Any] = {"status_code": 204, "openapi_extra": {"security": []}}


@router.options("/calls/{call_id}/uploads", **_PUBLIC)  # noqa: FAST003 - the same for every call
@router.options("/uploads/{upload_id}", **_PUBLIC)
async def get_abilities(state: IngestState) -> Response:
    """Show what of tus is spoken here."""
    return Response(
        status_code=status.HTTP_204_NO_CONTENT,
        headers={
            "Tus-Version": tus.VERSION,
            "Tus-Extension": tus.EXTENSIONS,
            "Tus-Max-Size": str(state.settings.max_upload_bytes),
            "Tus-Checksum-Algorithm": tus.CHECKSUM_ALGORITHMS,
        },
    )


@router.post(
    "/calls/{call_id}/uploads",
    status_code=status.HTTP_201_CREATED,
    dependencies=_BODY,
    responses=responses(
        errors.BadRequest, errors.Conflict, errors.TooLarge, errors.UnsupportedMedia, errors.Unprocessable
    ),
)
async def create_upload(
    call_id: UUID,
    request: Request,
    vendor: Vendor,
    state: IngestState,
    upload_length: _Header = None,
    upload_metadata: _Header = None,
    upload_checksum: _Header = None,
) -> Response:
    """Announce a file of `Upload-Length` bytes as the call's recording; send it to the `Location` by PATCH.

    Bytes may come with this request already. A call has one upload under way: a newer takes its place.
    """
    length = _length(state, request, upload_length)
    begins = _has_body(request)
    checksum = _checksum(request, upload_checksum) if begins else None
    _check_fits(request, length, length)
    upload, writing = await _announce(state, vendor, call_id, length, upload_metadata)
    stored = Stored(0, upload.expires_at, complete=False)
    if begins:
        stored = await _receive(state, request, upload, writing, checksum)
    headers = {"Location": f"/v1/uploads/{upload.id}", **_progress(stored)}
    return Response(status_code=status.HTTP_201_CREATED, headers=headers)


def _length(state: State, request: Request, announced: str | None) -> int:
    if "upload-defer-length" in request.headers or "upload-concat" in request.headers:
        raise BadRequest("Send the whole file in one upload, and its size in Upload-Length.")
    length = tus.count("Upload-Length", announced)
    if length > state.settings.max_upload_bytes:
        raise FileTooLarge(state.settings.max_upload_bytes)
    if length == 0:
        raise EmptyAudio("A recording has bytes: Upload-Length cannot be 0.")
    return length


async def _announce(
    state: State, vendor: Caller, call_id: UUID, length: int, metadata: str | None
) -> tuple[Upload, Writing]:
    if metadata:
        tus.check_metadata(metadata)
    settings = await state.tenant_settings(vendor.tenant_id)
    async with state.database.session() as session:
        call = await lock(session, call_id, vendor.tenant_id)
        check_upload(call, settings)
        key = PartKey(await state.keys.open(call), uuid7())
        kept = timedelta(seconds=state.settings.upload_expires_seconds)
        upload = Upload(
            id=key.upload_id,
            call_id=call.id,
            tenant_id=call.tenant_id,
            length=length,
            described=key.seal_metadata(metadata) if metadata else None,
            expires_at=await now(session) + kept,
        )
        await create(session, upload)
        writer = await begin_writing(session, upload, 0)
    return upload, Writing(key, writer)


@router.head("/uploads/{upload_id}", dependencies=_TUS)
async def get_offset(upload_id: UUID, vendor: Vendor, state: IngestState) -> Response:
    """Tell how many bytes of the file are stored: whatever happens, they need not be sent again."""
    async with state.database.session() as session:
        upload = await find(session, upload_id, vendor.tenant_id)
        call = await find_call(session, upload.call_id, vendor.tenant_id)
    answering.check(upload, call)
    headers = {"Upload-Length": str(upload.length)}
    stored = Stored(upload.received, upload.expires_at, upload.state == UploadState.COMPLETE)
    if not stored.complete and upload.described is not None:
        key = PartKey(await state.keys.open(call), upload.id)
        headers["Upload-Metadata"] = key.open_metadata(upload.described)
    return Response(headers={**headers, **_progress(stored)})


@router.patch(
    "/uploads/{upload_id}",
    status_code=204,
    dependencies=_BODY,
    responses={
        410: {"description": "The upload is gone"},
        460: {"description": "Checksum mismatch"},
        **responses(
            errors.BadRequest, errors.Conflict, errors.TooLarge, errors.UnsupportedMedia, errors.Unprocessable
        ),
    },
)
async def append(
    upload_id: UUID,
    request: Request,
    vendor: Vendor,
    state: IngestState,
    upload_offset: _Header = None,
    upload_checksum: _Header = None,
) -> Response:
    """Send the bytes from `Upload-Offset` on. With the last of them the call ends and is sealed.

    The answer to the last ones waits a while for the recording: 204 when it is sealed, or still being made;
    a problem when the file is no recording.
    """
    offset = tus.count("Upload-Offset", upload_offset)
    checksum = _checksum(request, upload_checksum)
    settings = await state.tenant_settings(vendor.tenant_id)
    async with state.database.session() as session:
        upload = await find(session, upload_id, vendor.tenant_id)
        if offset != upload.received:
            raise WrongOffset(upload.received, offset)
        _check_fits(request, upload.length - offset, upload.length)
        if upload.state == UploadState.OPEN:
            call = await lock(session, upload.call_id, vendor.tenant_id)
            check_upload(call, settings)
            writer = await begin_writing(session, upload, offset)
            writing = Writing(PartKey(await state.keys.open(call), upload.id), writer)
        else:
            writing = None
    if writing is None:
        stored = await _complete(state, upload)
    else:
        stored = await _receive(state, request, upload, writing, checksum)
    return Response(status_code=status.HTTP_204_NO_CONTENT, headers=_progress(stored))


async def _complete(state: State, upload: Upload) -> Stored:
    """All bytes were here before: whoever asks again gets the same answer."""
    await answering.wait(state, upload)
    return Stored(upload.received, upload.expires_at, complete=True)


async def _receive(
    state: State, request: Request, upload: Upload, writing: Writing, checksum: tus.Checksum | None
) -> Stored:
    stored = await Receiving(state, upload, writing, checksum).run(incoming(state, request))
    if stored.complete:
        await answering.wait(state, upload)
    return stored


def _check_fits(request: Request, room: int, length: int) -> None:
    """Before the request takes the upload from another."""
    if _declared(request) > room:
        raise BeyondLength(length)


def _declared(request: Request) -> int:
    return tus.count("Content-Length", request.headers.get("content-length", "0"))


def _has_body(request: Request) -> bool:
    return _declared(request) > 0 or "transfer-encoding" in request.headers


def _checksum(request: Request, header: str | None) -> tus.Checksum | None:
    tus.check_media_type(request.headers.get("content-type"))
    return None if header is None else tus.Checksum(header)


def _progress(stored: Stored) -> dict[str, str]:
    headers = {"Upload-Offset": str(stored.offset)}
    if not stored.complete:
        headers["Upload-Expires"] = tus.expires(stored.expires_at)
    return headers


@router.delete("/uploads/{upload_id}", status_code=204, dependencies=_TUS)
async def delete_upload(upload_id: UUID, vendor: Vendor, state: IngestState) -> Response:
    """Give an unfinished upload up; its bytes are deleted. The call stays, and takes another."""
    async with state.database.session() as session:
        await terminate(session, await find(session, upload_id, vendor.tenant_id))
    state.to_clean.set()
    return Response(status_code=status.HTTP_204_NO_CONTENT)


@router.post("/uploads/{upload_id}", dependencies=_BODY, include_in_schema=False)
async def overridden(
    upload_id: UUID,
    request: Request,
    vendor: Vendor,
    state: IngestState,
    x_http_method_override: _Header = None,
    upload_offset: _Header = None,
    upload_checksum: _Header = None,
) -> Response:
    """For clients behind proxies that let neither PATCH nor DELETE through."""
    match (x_http_method_override or "").upper():
        case "PATCH":
            return await append(upload_id, request, vendor, state, upload_offset, upload_checksum)
        case "DELETE":
            return await delete_upload(upload_id, vendor, state)
        case _:
            raise BadRequest("Use PATCH or DELETE, or name one of them in X-HTTP-Method-Override.")
