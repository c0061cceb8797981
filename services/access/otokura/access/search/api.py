"""The route of searching in what was said."""

from __future__ import annotations

from fastapi import APIRouter, Response

from otokura.access.permission import identify, record_denial
from otokura.access.policy.decided import decide
from otokura.access.policy.denial import denied, paused
from otokura.access.search.searching import Asked, search
from otokura.access.search.views import SearchBody, SearchPage
from otokura.access.state import State
from otokura.shared.address import ClientAddress
from otokura.shared.audit_entries import ENTRY_ID
from otokura.shared.authentication import Authenticated
from otokura.shared.errors import (
    BadRequest,
    Forbidden,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    Unprocessable,
)
from otokura.shared.policy.facts import PolicyAction, TenantFacts
from otokura.shared.problems import responses

router = APIRouter(prefix="/v1/search", tags=["search"])


@router.post(
    "",
    responses=responses(BadRequest, Unauthenticated, Forbidden, Unprocessable, TooManyRequests, Unavailable),
)
async def search_text(
    body: SearchBody, state: State, token: Authenticated, place: ClientAddress, response: Response
) -> SearchPage:
    """Calls in which a phrase was said, newest first, with its places in the text that the reader may see.

    Case, width, punctuation and the kind of kana do not matter. What the reader may not see is neither shown
    nor counted. The entry that names the calls shown is written before they are.
    """
    asked = await _admitted(body, state, token, place)
    detail = "You search as often at once as one reader may: wait for an answer."
    with state.searches.take(asked.reader.facts.id, detail, 1):
        page = await search(asked)
    response.headers[ENTRY_ID] = str(asked.entry_id)
    response.headers["Cache-Control"] = "private, no-store"
    return page


async def _admitted(body: SearchBody, state: State, token: Authenticated, place: ClientAddress) -> Asked:
    """A reader who may search at all, for this purpose and reason. A denial is written before it is told.

    Raises:
        Unauthenticated: the token, or whose it is, is no longer good.
        Forbidden: not from there, not in that role, not without a reason, or not while paused.
        Unavailable: the denial could not be written.
    """
    reader = await identify(state, token, place)
    action = PolicyAction.SEARCH_TEXT
    if reader.facts.tenant_id is None:
        denial, decided = denied(("no-tenant",)), None
    elif reader.paused:
        denial, decided = paused(), None
    else:
        tenant = TenantFacts(reader.facts.tenant_id)
        circumstances = reader.circumstances(body.purpose, body.reason)
        decided = decide(state.policies, reader.facts, action, tenant, circumstances)
        if decided.allowed:
            return Asked(state, reader.by(decided), body)
        denial = denied(decided.policies)
    await record_denial(state, reader, denial, action, decided)
    raise denial.error
