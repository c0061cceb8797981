"""Every query about uploads. Time is the database's clock.

Which request may write is decided by the row's epoch and offset, in the statement that writes: so a client
whose connection died can go on at once from another, whatever process still waits on the old one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, func, or_, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.ingest.models import Call, CallState, Origin
from otokura.ingest.uploads.errors import (
    TooManyParts,
    UploadComplete,
    UploadGone,
    UploadNotFound,
    UploadTakenOver,
)
from otokura.ingest.uploads.models import Part, Upload, UploadState
from otokura.shared.errors import OtokuraError

MAX_PARTS = 10_000


@dataclass(frozen=True)
class NewPart:
    """A part whose object exists, about to be accepted."""

    start: int
    size: int
    object_name: str


@dataclass(frozen=True)
class Writer:
    """The right to write an upload, until a newer request takes it."""

    upload_id: UUID
    epoch: int


def _clock() -> ColumnElement[Any]:
    return func.clock_timestamp()


async def create(session: AsyncSession, upload: Upload) -> None:
    """Add an upload to a locked call; it takes the place of those of the call that are not complete."""
    await session.exec(
        update(Upload)
        .where(col(Upload.call_id) == upload.call_id, col(Upload.state) == UploadState.OPEN)
        .values(state=UploadState.GONE)
    )
    session.add(upload)
    await session.flush()


async def find(session: AsyncSession, upload_id: UUID, tenant_id: UUID) -> Upload:
    """An upload of the tenant that is not gone.

    Raises:
        UploadNotFound: there is none, or it is another tenant's.
        UploadGone: it expired, was terminated or replaced.
    """
    query = select(Upload).where(col(Upload.id) == upload_id, col(Upload.tenant_id) == tenant_id)
    upload = (await session.exec(query)).one_or_none()
    if upload is None:
        raise UploadNotFound(upload_id)
    moment: datetime = (await session.exec(select(_clock()))).one()
    if upload.state == UploadState.GONE or (upload.state == UploadState.OPEN and upload.expires_at <= moment):
        raise UploadGone(upload.call_id)
    return upload


async def begin_writing(session: AsyncSession, upload: Upload, offset: int) -> Writer:
    """Let a request write from this offset on: whoever wrote before is refused from here on.

    Raises:
        TooManyParts: it came in too small pieces.
        UploadTakenOver, UploadGone, UploadComplete: it changed just now.
    """
    if upload.parts >= MAX_PARTS:
        raise TooManyParts(MAX_PARTS)
    statement = (
        update(Upload)
        .where(
            col(Upload.id) == upload.id,
            col(Upload.state) == UploadState.OPEN,
            col(Upload.received) == offset,
        )
        .values(epoch=Upload.epoch + 1)
        .returning(col(Upload.epoch))
    )
    epoch: int | None = (await session.exec(statement)).scalar_one_or_none()
    if epoch is None:
        raise await _refusal(session, upload.id)
    return Writer(upload.id, epoch)


async def accept(
    session: AsyncSession, writer: Writer, parts: list[NewPart], kept: timedelta, *, last: bool
) -> datetime:
    """Count parts whose objects exist: the offset moves. When the upload expires, unless it goes on.

    Args:
        session: the transaction.
        writer: who stored them.
        parts: one after the other, the first at the offset.
        kept: how long the upload is kept from now.
        last: with them the upload is complete.

    Raises:
        UploadTakenOver, UploadGone, UploadComplete: a newer request writes, or nobody may any more.
    """
    start, size = parts[0].start, sum(part.size for part in parts)
    statement = (
        update(Upload)
        .where(
            col(Upload.id) == writer.upload_id,
            col(Upload.epoch) == writer.epoch,
            col(Upload.state) == UploadState.OPEN,
            col(Upload.received) == start,
        )
        .values(
            received=start + size,
            parts=Upload.parts + len(parts),
            state=UploadState.COMPLETE if last else UploadState.OPEN,
            expires_at=_clock() + kept,
        )
        .returning(col(Upload.expires_at))
    )
    expires_at: datetime | None = (await session.exec(statement)).scalar_one_or_none()
    if expires_at is None:
        raise await _refusal(session, writer.upload_id)
    session.add_all(
        Part(
            upload_id=writer.upload_id,
            start=part.start,
            size=part.size,
            epoch=writer.epoch,
            object_name=part.object_name,
        )
        for part in parts
    )
    await session.flush()
    return expires_at


async def _refusal(session: AsyncSession, upload_id: UUID) -> OtokuraError:
    """Why a statement that would have written changed nothing."""
    upload = await session.get_one(Upload, upload_id, populate_existing=True)
    if upload.state == UploadState.GONE:
        return UploadGone(upload.call_id)
    if upload.state == UploadState.COMPLETE:
        return UploadComplete(upload.call_id)
    return UploadTakenOver()


async def terminate(session: AsyncSession, upload: Upload) -> None:
    """Give an upload up; its objects are removed soon.

    Raises:
        UploadComplete: its recording is being made, or is made.
    """
    statement = (
        update(Upload)
        .where(col(Upload.id) == upload.id, col(Upload.state) == UploadState.OPEN)
        .values(state=UploadState.GONE)
    )
    if (await session.exec(statement)).rowcount == 0:
        raise await _refusal(session, upload.id)


async def complete_upload(session: AsyncSession, call_id: UUID) -> tuple[Upload, list[Part]]:
    """The file of a call that is being sealed, and its parts in order."""
    query = select(Upload).where(col(Upload.call_id) == call_id, col(Upload.state) == UploadState.COMPLETE)
    upload = (await session.exec(query)).one()
    parts = select(Part).where(col(Part.upload_id) == upload.id).order_by(col(Part.start))
    return upload, list((await session.exec(parts)).all())


async def refuse(session: AsyncSession, upload_id: UUID, problem: dict[str, Any]) -> None:
    """Note why the whole file is not taken, for whoever asks."""
    await session.exec(update(Upload).where(col(Upload.id) == upload_id).values(problem=problem))


async def next_to_seal(session: AsyncSession) -> Call | None:
    """A call, locked, whose file is complete and waits to be sealed, or whose sealer's lease ran out."""
    query = (
        select(Call)
        .where(
            col(Call.state) == CallState.SEALING,
            col(Call.origin) == Origin.UPLOAD,
            or_(col(Call.lease_until).is_(None), col(Call.lease_until) < _clock()),
        )
        .order_by(col(Call.last_audio_at))
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return (await session.exec(query)).one_or_none()


async def expire(session: AsyncSession) -> None:
    """Give up the uploads that did not go on in time, and those whose call ended without them."""
    ended = select(Call.id).where(col(Call.id) == col(Upload.call_id), col(Call.state) != CallState.LIVE)
    await session.exec(
        update(Upload)
        .where(
            col(Upload.state) == UploadState.OPEN,
            or_(col(Upload.expires_at) <= _clock(), ended.exists()),
        )
        .values(state=UploadState.GONE)
    )


async def uncleaned(session: AsyncSession, limit: int) -> list[Upload]:
    """Uploads whose objects nobody needs any more.

    A file that could not be sealed for a reason that is not its own is kept: it is all there is of its call.
    """
    query = (
        select(Upload)
        .join(Call, col(Call.id) == col(Upload.call_id))
        .where(
            col(Upload.cleaned_at).is_(None),
            or_(
                col(Upload.state) == UploadState.GONE,
                and_(
                    col(Call.settled_at).is_not(None),
                    or_(col(Call.state) != CallState.FAILED, col(Upload.problem).is_not(None)),
                ),
            ),
        )
        .limit(limit)
    )
    return list((await session.exec(query)).all())


async def mark_cleaned(session: AsyncSession, upload_id: UUID) -> None:
    """The objects are gone, and the rows that named them."""
    await session.exec(delete(Part).where(col(Part.upload_id) == upload_id))
    await session.exec(update(Upload).where(col(Upload.id) == upload_id).values(cleaned_at=_clock()))


async def forget(session: AsyncSession) -> None:
    """Drop the rows of uploads that are long over and cleaned."""
    await session.exec(
        delete(Upload).where(col(Upload.cleaned_at).is_not(None), col(Upload.expires_at) <= _clock())
    )
