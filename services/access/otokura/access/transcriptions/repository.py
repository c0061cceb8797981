"""Every query about requests to transcribe again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.transcriptions.models import TranscriptionRequest
from otokura.access.transcriptions.views import Selection
from otokura.shared.events import TranscriptionProgressed

_CONDITIONS = {
    "tenant_id": "c.tenant_id = :tenant_id",
    "call_id": "c.call_id = :call_id",
    "since": "c.started_at >= :since",
    "until": "c.started_at < :until",
    # The name that transcripts give the model, with or without its compute type.
    "model": """NOT EXISTS (
        SELECT FROM transcript_versions v WHERE v.call_id = c.call_id
        AND (v.event->>'model' = :model OR split_part(v.event->>'model', ' ', 1) = :model))""",
}


async def matching(session: AsyncSession, wanted: Selection, tenant_id: UUID | None) -> int:
    """How many calls with a recording a selection finds, in one tenant or in all."""
    values: dict[str, Any] = {
        "tenant_id": tenant_id,
        **{name: getattr(wanted, name) for name in ("call_id", "since", "until", "model")},
    }
    given = {name: value for name, value in values.items() if value is not None}
    conditions = " AND ".join(
        ["c.manifest IS NOT NULL", "c.customer_key IS NULL", *(_CONDITIONS[name] for name in given)]
    )
    statement = text(f"SELECT count(*) FROM calls c WHERE {conditions}")  # noqa: S608 - constants
    return int(await (await session.connection()).scalar(statement, given) or 0)


async def request(session: AsyncSession, request_id: UUID) -> TranscriptionRequest | None:
    """A request."""
    return await session.get(TranscriptionRequest, request_id)


async def newest(
    session: AsyncSession, tenant_id: UUID | None, before: UUID | None, limit: int
) -> Sequence[TranscriptionRequest]:
    """Requests of one tenant, or of all, newest first: their ids (UUIDv7) are in the order of time."""
    query = select(TranscriptionRequest)
    if tenant_id is not None:
        query = query.where(col(TranscriptionRequest.tenant_id) == tenant_id)
    if before is not None:
        query = query.where(col(TranscriptionRequest.id) < before)
    return (await session.exec(query.order_by(col(TranscriptionRequest.id).desc()).limit(limit))).all()


async def note_progress(session: AsyncSession, event: TranscriptionProgressed) -> None:
    """Keeps what transcribe tells of a request, unless something newer is known."""
    told = event.model_dump(mode="json", exclude={"request_id", "version"})
    newer = update(TranscriptionRequest).where(
        col(TranscriptionRequest.id) == event.request_id, col(TranscriptionRequest.version) < event.version
    )
    await session.exec(newer.values(version=event.version, progress=told))
