"""`/v1`: entries and proofs for auditors, of their own tenant only."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from otokura.audit import repository, service
from otokura.audit.repository import EntryFilter
from otokura.audit.state import State, current
from otokura.audit.views import Consistency, EntryView, Receipt, view
from otokura.shared.address import client_address
from otokura.shared.audit_entries import Action, AuditDraft
from otokura.shared.authentication import require
from otokura.shared.errors import (
    BadRequest,
    Forbidden,
    IntegrityError,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from otokura.shared.events import Role
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

    shard: int
    index: int


async def _filter(
    reader: Annotated[str | None, Query(max_length=200, description="Who asked.")] = None,
    call_id: Annotated[UUID | None, Query(description="About which call.")] = None,
    action: Annotated[str | None, Query(max_length=64, examples=["read.opened"])] = None,
    since: Annotated[datetime | None, Query(alias="from", description="Not before (RFC 3339).")] = None,
    until: Annotated[datetime | None, Query(alias="to", description="Before (RFC 3339).")] = None,
) -> EntryFilter:
    return EntryFilter(reader, call_id, action, _utc(since), _utc(until))


def _utc(at: datetime | None) -> datetime | None:
    """A time without an offset is UTC."""
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


@router.get("/entries")
async def list_entries(
    request: Request,
    auditor: Auditor,
    state: Current,
    wanted: Annotated[EntryFilter, Depends(_filter)],
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorText = None,
) -> Page[EntryView]:
    """The tenant's entries that match, newest first. Asking is itself an entry."""
    position = EntryCursor.decode(cursor)
    before = None if position is None else (position.shard, position.index)
    async with state.database.session() as session:
        found = await repository.entries(session, auditor.tenant_id, wanted, before, limit + 1)
    items = [view(entry) for entry in found[:limit]]
    filters = {
        "reader": wanted.reader,
        "call_id": wanted.call_id,
        "action": wanted.action,
        "from": wanted.since,
        "to": wanted.until,
    }
    given = {name: value for name, value in filters.items() if value is not None}
    await record(request, state, auditor, {"filter": given, "shown": len(items)})
    after = EntryCursor(shard=items[-1].shard, index=items[-1].index) if len(found) > limit else None
    return Page(items=items, next_cursor=None if after is None else after.encode())


@router.get(
    "/entries/{entry_id}/proof",
    response_model=Receipt,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        **responses(NotFound),
    },
)
async def prove_entry(request: Request, entry_id: UUID, auditor: Auditor, state: Current) -> Any:
    """The proof that an entry is in the log: a receipt, or with `Accept: text/plain` a tlog-proof."""
    receipt = await service.receipt(state, auditor.tenant_id, entry_id)
    await record(request, state, auditor, {"entry_id": entry_id})
    if "text/plain" in request.headers.get("accept", ""):
        return Response(receipt.proof, media_type="text/plain; charset=utf-8")
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


async def record(request: Request, state: State, auditor: Principal, detail: dict[str, Any]) -> None:
    """Whoever reads the log leaves a line in it, acknowledged before the answer."""
    address = client_address(request).address
    draft = AuditDraft(
        action=Action.ENTRIES_LISTED,
        tenant_id=auditor.tenant_id,
        reader=str(auditor.subject),
        detail={**detail, "address": None if address is None else str(address)},
    )
    await state.writer.write(draft)
