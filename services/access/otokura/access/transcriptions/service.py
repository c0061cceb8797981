"""A request to transcribe again is one transaction of its row, the event and the audit entry."""

from __future__ import annotations

from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.identity import repository as identity
from otokura.access.identity.subject import Reader
from otokura.access.permission import entry
from otokura.access.transcriptions import repository
from otokura.access.transcriptions.models import TranscriptionRequest
from otokura.access.transcriptions.views import Selection, TranscriptionBody, TranscriptionView
from otokura.shared.audit_entries import Action
from otokura.shared.errors import NotFound, Unprocessable
from otokura.shared.events import TranscriptionRequested
from otokura.shared.ids import uuid7
from otokura.shared.outbox import publish, publish_audit


def tenant_meant(wanted: Selection, reader: Reader) -> UUID | None:
    """Whose calls are meant: an administrator's own tenant's; an operator's choice, None for all.

    Raises:
        Unprocessable: an administrator names another tenant.
    """
    own = reader.facts.tenant_id
    if own is not None and wanted.tenant_id not in {None, own}:
        raise Unprocessable("You can ask for your own tenant's calls only: leave tenant_id out.")
    return own or wanted.tenant_id


async def create(session: AsyncSession, body: TranscriptionBody, reader: Reader) -> TranscriptionView:
    """Asks transcribe for it.

    Raises:
        Unprocessable: an administrator names another tenant.
    """
    tenant_id = tenant_meant(body, reader)
    asked = body.model_dump(include={"model", "call_id", "since", "until", "reason"})
    record = TranscriptionRequest(
        **asked,
        id=uuid7(),
        tenant_id=tenant_id,
        matching=await repository.matching(session, body, tenant_id),
        requested_by=reader.facts.id,
        requested_at=await identity.now(session),
    )
    session.add(record)
    await session.flush()
    await publish(
        session,
        TranscriptionRequested(
            request_id=record.id,
            tenant_id=tenant_id,
            model=body.model,
            call_id=body.call_id,
            since=body.since,
            until=body.until,
            requested_at=record.requested_at,
        ),
    )
    detail = {**asked, "request_id": record.id, "tenant_id": tenant_id, "matching": record.matching}
    draft = entry(Action.TRANSCRIPTION_REQUESTED, reader, detail, body.call_id)
    await publish_audit(session, draft.model_copy(update={"tenant_id": tenant_id}))
    return view_of(record)


async def read(session: AsyncSession, request_id: UUID, reader: Reader) -> TranscriptionView:
    """A request that the reader may know of: an administrator of their own tenant's, an operator of all.

    Raises:
        NotFound: there is none.
    """
    record = await repository.request(session, request_id)
    own = reader.facts.tenant_id
    if record is None or (own is not None and record.tenant_id != own):
        raise NotFound("There is no such request to transcribe again.")
    return view_of(record)


async def page(
    session: AsyncSession, reader: Reader, before: UUID | None, limit: int
) -> list[TranscriptionView]:
    """Requests that the reader may know of, newest first, those before one in that order."""
    found = await repository.newest(session, reader.facts.tenant_id, before, limit)
    return [view_of(record) for record in found]


def view_of(record: TranscriptionRequest) -> TranscriptionView:
    """The view of a row."""
    return TranscriptionView.model_validate(record.model_dump())
