"""`/v1`: entries and proofs for auditors, of their own tenant only."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field

from otokura.audit import repository, service
from otokura.audit.errors import NotPublishedYet
from otokura.audit.repository import EntryFilter, Place
from otokura.audit.state import State, current
from otokura.audit.views import Consistency, EntryView, Receipt, view
from otokura.shared.address import client_address
from otokura.shared.audit_entries import ENTRY_ID, Action, AuditDraft
from otokura.shared.authentication import Authenticated, require
from otokura.shared.errors import (
    BadRequest,
    Forbidden,
    IntegrityError,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from otokura.shared.events import Role
from otokura.shared.moments import Moment, UtcMoment
from otokura.shared.pagination import DEFAULT_LIMIT, Cursor, CursorText, Limit, Page
from otokura.shared.problems import responses
from otokura.shared.tokens import Principal

Auditor = Annotated[Principal, Depends(require(Role.AUDITOR))]
Current = Annotated[State, Depends(current)]

router = APIRouter(
    prefix="/v1",
    tags=["audit"],
    responses=responses(Unauthenticated, Forbidden, BadRequest, Unavailable, IntegrityError),
)


class EntryCursor(Cursor):
    """After which entry a page goes on."""

    time: Moment
    shard: int = Field(ge=0, lt=1 << 15)
    index: int = Field(ge=0, lt=1 << 63)

    @classmethod
    def place(cls, text: str | None) -> Place | None:
        """The place that a cursor names.

        Raises:
            BadRequest: it is no cursor of entries.
        """
        at = cls.decode(text)
        return None if at is None else (at.time, at.shard, at.index)

    @classmethod
    def after(cls, entry: EntryView) -> str:
        """The cursor of the page after this entry."""
        return cls(time=entry.time, shard=entry.shard, index=entry.index).encode()


async def entry_filter(
    reader: Annotated[str | None, Query(max_length=200, description="Who asked.")] = None,
    call_id: Annotated[UUID | None, Query(description="About which call.")] = None,
    action: Annotated[str | None, Query(max_length=64, examples=["read.opened"])] = None,
    since: Annotated[UtcMoment | None, Query(alias="from", description="Not before (RFC 3339).")] = None,
    until: Annotated[UtcMoment | None, Query(alias="to", description="Before (RFC 3339).")] = None,
) -> EntryFilter:
    """Which entries, as the query says it."""
    return EntryFilter(reader, call_id, action, since, until)


def given(wanted: EntryFilter) -> dict[str, Any]:
    """The filter as its entry tells it."""
    filters = {
        "reader": wanted.reader,
        "call_id": wanted.call_id,
        "action": wanted.action,
        "from": wanted.since,
        "to": wanted.until,
    }
    return {name: value for name, value in filters.items() if value is not None}


@router.get("/entries")
async def list_entries(
    request: Request,
    response: Response,
    auditor: Auditor,
    state: Current,
    wanted: Annotated[EntryFilter, Depends(entry_filter)],
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorText = None,
) -> Page[EntryView]:
    """The tenant's entries that match, newest first. Asking is itself an entry, which the answer names."""
    before = EntryCursor.place(cursor)
    async with state.database.session() as session:
        found = await repository.entries(session, auditor.tenant_id, wanted, before, limit + 1)
    items = [view(entry) for entry in found[:limit]]
    entry_id = await record(request, state, auditor, {"filter": given(wanted), "shown": len(items)})
    response.headers[ENTRY_ID] = str(entry_id)
    return Page(items=items, next_cursor=EntryCursor.after(items[-1]) if len(found) > limit else None)


@router.get(
    "/receipts/{entry_id}",
    response_model=Receipt,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        **responses(NotFound, NotPublishedYet),
    },
)
async def get_receipt(
    request: Request, response: Response, entry_id: UUID, asker: Authenticated, state: Current
) -> Any:
    """The receipt of an entry: detail, salt and proof; with `Accept: text/plain` the tlog-proof alone.

    Auditors have those of their tenant, readers those of what they were given: each answer with content names
    its entry in `Otokura-Entry-Id`. A second may pass between the answer and the receipt: until then 404
    (not in the log yet) or 409 (no checkpoint covers it yet), with `Retry-After`.
    """
    entry = await service.find_entry(state, asker, entry_id)
    receipt = await service.receipt(state, entry)
    headers = {ENTRY_ID: str(await record(request, state, asker, {"entry_id": entry_id}))}
    if "text/plain" in request.headers.get("accept", ""):
        return Response(receipt.proof, media_type="text/plain; charset=utf-8", headers=headers)
    response.headers.update(headers)
    return receipt


@router.get("/consistency", responses=responses(NotFound))
async def prove_consistency(
    _auditor: Auditor,
    state: Current,
    old: Annotated[int, Query(alias="from", ge=1, description="The smaller size.")],
    new: Annotated[int | None, Query(alias="to", ge=1, description="The larger; the published one.")] = None,
    shard: Annotated[int | None, Query(ge=2000, le=9999, description="The year; the current one.")] = None,
) -> Consistency:
    """The proof that nothing was changed between two sizes of the log."""
    return await service.consistency(state, shard or datetime.now(UTC).year, old, new)


async def record(
    request: Request,
    state: State,
    asker: Principal,
    detail: dict[str, Any],
    action: Action = Action.ENTRIES_LISTED,
) -> UUID:
    """Whoever reads the log leaves a line in it, acknowledged before the answer; its id."""
    address = client_address(request).address
    draft = AuditDraft(
        action=action,
        tenant_id=asker.tenant_id,
        reader=str(asker.subject),
        detail={**detail, "address": None if address is None else str(address)},
    )
    return await state.writer.write(draft)
