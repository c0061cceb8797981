"""`GET /v1/entries/export`: entries with their proofs, all against one checkpoint, as JSON Lines or CSV.

Made and sent piece by piece: what is in memory does not grow with the export. The first line says what it
is an export of, the last how many entries there were: one that ends without it was cut off.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse
from sqlalchemy import tuple_
from sqlmodel import col
from starlette.types import Receive, Scope, Send

from otokura.audit import repository
from otokura.audit.api import Auditor, Current, entry_filter, given, record
from otokura.audit.checks import Published
from otokura.audit.errors import NoSuchShard
from otokura.audit.export_formats import csv_line, csv_names, json_line
from otokura.audit.models import Entry
from otokura.audit.proofs import Prover
from otokura.audit.repository import EntryFilter
from otokura.audit.rows import Rows
from otokura.audit.service import checked_path
from otokura.audit.state import State
from otokura.audit.views import encoded_salt, opened, why
from otokura.shared.audit_entries import ENTRY_ID, Action
from otokura.shared.errors import Forbidden, IntegrityError, TooManyRequests, Unauthenticated, Unavailable
from otokura.shared.problems import responses

TYPE = "otokura.audit-export.v1"
BATCH = 250
"""Entries in memory at once."""

router = APIRouter(prefix="/v1/entries", tags=["audit"])


class Format(StrEnum):
    """Of an export."""

    JSONL = "jsonl"
    CSV = "csv"


MEDIA_TYPES = {Format.JSONL: "application/jsonl", Format.CSV: "text/csv; charset=utf-8"}
_DOC: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/jsonl": {}, "text/csv": {}}, "description": "The export."}
}


class InTurn(StreamingResponse):
    """Begins when there is a turn for it, and gives that back however it ends, also when its reader goes."""

    def __init__(
        self,
        turns: asyncio.Semaphore,
        content: AsyncGenerator[str],
        *,
        media_type: str,
        headers: dict[str, str],
    ) -> None:
        super().__init__(content, media_type=media_type, headers=headers)
        self._turns = turns

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it."""
        async with self._turns:
            await super().__call__(scope, receive, send)


@dataclass(frozen=True)
class Export:
    """What is exported."""

    state: State
    tenant_id: UUID | None
    wanted: EntryFilter
    shard: int
    published: Published


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses=_DOC
    | responses(Unauthenticated, Forbidden, NoSuchShard, TooManyRequests, IntegrityError, Unavailable),
)
async def export_entries(
    request: Request,
    auditor: Auditor,
    state: Current,
    wanted: Annotated[EntryFilter, Depends(entry_filter)],
    *,
    form: Annotated[Format, Query(alias="format")] = Format.JSONL,
    shard: Annotated[int | None, Query(ge=2000, le=9999, description="The year; the current one.")] = None,
) -> StreamingResponse:
    """The tenant's entries of one year that match, oldest first, each with salt, place and proof.

    All are proved against the newest checkpoint, which the first line holds; `otokura verify export` checks
    every line offline. It is itself an entry, which the answer names. What is newer than the checkpoint is
    not in it.
    """
    if state.exporting.locked():
        raise TooManyRequests(
            "Other exports are being made; try again shortly.", headers={"Retry-After": "10"}
        )
    year = shard or datetime.now(UTC).year
    published = await state.shelf.checkpoint(year, state.signer(year))
    if published is None or published.checkpoint.size == 0:
        raise NoSuchShard(f"Nothing is published in shard {year}.")
    about = {"filter": given(wanted), "shard": year, "size": published.checkpoint.size, "format": form}
    entry_id = await record(request, state, auditor, about, Action.ENTRIES_EXPORTED)
    head = {
        "type": TYPE,
        "entry_id": str(entry_id),
        "tenant_id": None if auditor.tenant_id is None else str(auditor.tenant_id),
        "shard": year,
        "checkpoint": published.note,
        "made_at": datetime.now(UTC).isoformat(),
    }
    export = Export(state, auditor.tenant_id, wanted, year, published)
    name = f"entries-{year}-{entry_id}.{form}"
    headers = {
        ENTRY_ID: str(entry_id),
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "private, no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return InTurn(state.exporting, _chunks(export, head, form), media_type=MEDIA_TYPES[form], headers=headers)


async def _chunks(export: Export, head: dict[str, Any], form: Format) -> AsyncGenerator[str]:
    line = json_line if form is Format.JSONL else csv_line
    yield ("" if form is Format.JSONL else csv_names()) + line(head)
    count = 0
    after: tuple[datetime, int] | None = None
    while batch := await _batch(export, after):
        lines = await _proved(export, batch)
        yield "".join(map(line, lines))
        count += len(batch)
        after = (batch[-1].time, batch[-1].index)
    yield line({"type": "end", "entries": count})


async def _batch(export: Export, after: tuple[datetime, int] | None) -> list[Entry]:
    """The next entries, read off the same indexes as lists are."""
    statement = repository.matching(export.tenant_id, export.wanted).where(
        col(Entry.shard) == export.shard, col(Entry.index) < export.published.checkpoint.size
    )
    if after is not None:
        place = (after[0], export.shard, after[1])
        statement = statement.where(tuple_(col(Entry.time), col(Entry.shard), col(Entry.index)) > place)
    ordered = statement.order_by(col(Entry.time), col(Entry.shard), col(Entry.index)).limit(BATCH)
    async with export.state.database.session() as session:
        return list((await session.exec(ordered)).all())


async def _proved(export: Export, batch: list[Entry]) -> list[dict[str, Any]]:
    """The batch's lines. A prover of its own: it remembers the tiles that it reads."""
    async with export.state.database.session() as session:
        prover = Prover(Rows(session, export.shard), export.published.checkpoint.size)
        lines: list[dict[str, Any]] = []
        for entry in batch:
            leaf, recorded = opened(entry)
            path = await checked_path(prover, entry, export.published)
            lines.append(
                {
                    "type": "entry",
                    "index": entry.index,
                    "leaf": leaf,
                    "entry": recorded,
                    "salt": encoded_salt(entry),
                    "path": [base64.b64encode(hash_).decode() for hash_ in path],
                    # What is left of an entry whose detail is gone; the leaf does not hold it.
                    "entry_id": str(entry.entry_id),
                    "action": entry.action,
                    "reader": entry.reader,
                    "call_id": None if entry.call_id is None else str(entry.call_id),
                    "erased_at": None if entry.erased_at is None else entry.erased_at.isoformat(),
                    "erased_why": why(entry),
                }
            )
    return lines
