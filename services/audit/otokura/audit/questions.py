"""`/v1/questions`: what auditors ask of the log, each answered from one index, newest first.

Asking is itself an entry, which the answer names.
"""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from otokura.audit import answers
from otokura.audit.answers import Asked, Subject
from otokura.audit.api import Auditor, Current, EntryCursor, record
from otokura.audit.repository import Place
from otokura.audit.state import State
from otokura.audit.views import EntryView, view
from otokura.shared.audit_entries import ENTRY_ID
from otokura.shared.errors import BadRequest, Forbidden, IntegrityError, Unauthenticated, Unavailable
from otokura.shared.moments import UtcMoment
from otokura.shared.pagination import DEFAULT_LIMIT, CursorText, Limit, Page
from otokura.shared.problems import responses
from otokura.shared.tokens import Principal

router = APIRouter(
    prefix="/v1/questions",
    tags=["questions"],
    responses=responses(Unauthenticated, Forbidden, BadRequest, Unavailable, IntegrityError),
)

Reader = Annotated[str, Query(max_length=200, description="The id of a person or client.")]


class Window:
    """Between which times, and which page."""

    def __init__(
        self,
        request: Request,
        response: Response,
        *,
        since: Annotated[UtcMoment | None, Query(alias="from", description="Not before (RFC 3339).")] = None,
        until: Annotated[UtcMoment | None, Query(alias="to", description="Before (RFC 3339).")] = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: CursorText = None,
    ) -> None:
        self.request, self.response = request, response
        self.since, self.until, self.limit = since, until, limit
        self.before: Place | None = EntryCursor.place(cursor)


Within = Annotated[Window, Depends()]


@router.get("/who-heard")
async def who_heard(
    auditor: Auditor, state: Current, within: Within, call_id: Annotated[UUID, Query()]
) -> Page[EntryView]:
    """Who heard or read this call, and to which feeds it went: each read, with purpose and reason.

    Searches that showed sentences of it are entries of many calls, and not in this answer: see
    `transcripts.searched`.
    """
    return await _answer(state, auditor, within, answers.who_heard(call_id), {"call_id": call_id})


@router.get("/what-read")
async def what_read(auditor: Auditor, state: Current, within: Within, reader: Reader) -> Page[EntryView]:
    """What this person heard, read, searched and took away."""
    return await _answer(state, auditor, within, answers.what_read(reader), {"reader": reader})


@router.get("/denials")
async def denials(
    auditor: Auditor,
    state: Current,
    within: Within,
    reader: Annotated[str | None, Query(max_length=200)] = None,
    call_id: Annotated[UUID | None, Query()] = None,
) -> Page[EntryView]:
    """What was denied, to whom, why, and from where (`detail.address`): reads, logins, disclosures.

    It cannot be asked for by address.
    """
    about = {"reader": reader, "call_id": call_id}
    return await _answer(state, auditor, within, answers.denials(reader, call_id), about)


@router.get("/changes")
async def changes(
    auditor: Auditor,
    state: Current,
    within: Within,
    of: Annotated[Subject | None, Query(description="Of what; of all of these if not given.")] = None,
) -> Page[EntryView]:
    """Who changed a policy, a zone, a hold, the settings.

    Policies are files of the installation: their entries are of no tenant, and shown to each.
    """
    return await _answer(state, auditor, within, answers.changes(of), {"of": of})


@router.get("/vendor-deliveries")
async def vendor_deliveries(
    auditor: Auditor, state: Current, within: Within, vendor: Annotated[UUID, Query()]
) -> Page[EntryView]:
    """What this vendor's client sent: each call as it ended, sealed, failed or empty."""
    return await _answer(state, auditor, within, answers.sent_by(vendor), {"vendor": vendor})


@router.get("/feed-deliveries")
async def feed_deliveries(
    auditor: Auditor, state: Current, within: Within, feed: Annotated[UUID, Query()]
) -> Page[EntryView]:
    """What went to this feed: each disclosure as it began and ended, with its fields and redaction."""
    return await _answer(state, auditor, within, answers.gone_to(feed), {"feed": feed})


async def _answer(
    state: State, auditor: Principal, within: Window, asked: Asked, about: dict[str, Any]
) -> Page[EntryView]:
    async with state.database.session() as session:
        window = (within.since, within.until, within.before)
        found = await answers.entries(session, auditor.tenant_id, asked, window, within.limit + 1)
    items = [view(entry) for entry in found[: within.limit]]
    given = about | {"from": within.since, "to": within.until}
    told = {name: value for name, value in given.items() if value is not None}
    detail = {"question": asked.name, "filter": told, "shown": len(items)}
    within.response.headers[ENTRY_ID] = str(await record(within.request, state, auditor, detail))
    more = len(found) > within.limit
    return Page(items=items, next_cursor=EntryCursor.after(items[-1]) if more else None)
