"""Looking for calls: what the reader may not view neither shows nor counts, and the search is an entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from otokura.access.identity.subject import Reader
from otokura.access.permission import entry, tenant_of
from otokura.access.reads import repository
from otokura.access.reads.repository import CallFilter, Scope, scope_of
from otokura.access.reads.service import has_broken_glass
from otokura.access.reads.views import CallCursor, CallView, facts_of
from otokura.access.state import AccessState
from otokura.shared.audit_entries import Action
from otokura.shared.policy.facts import PolicyAction


@dataclass(frozen=True, slots=True)
class Found:
    """A page of calls, and the entry that says that they were shown."""

    calls: list[CallView]
    next_cursor: str | None
    entry_id: UUID


async def search(state: AccessState, reader: Reader, wanted: CallFilter, limit: int) -> Found:
    """A page of the calls that the reader may view, newest first.

    Raises:
        Unavailable: the entry could not be written; then nothing is shown.
    """
    rows, cursor = await _viewable(state, reader, wanted, limit)
    calls = [CallView.of(row) for row in rows]
    detail = {"filter": _described(wanted), "calls": [call.id for call in calls]}
    entry_id = await state.audit.write(entry(Action.CALLS_SEARCHED, reader, detail))
    return Found(calls, cursor.encode() if cursor else None, entry_id)


async def _viewable(
    state: AccessState, reader: Reader, wanted: CallFilter, limit: int
) -> tuple[list[Mapping[str, Any]], CallCursor | None]:
    """The rows of a page, and the position behind it if anything follows.

    The query narrows, the policies decide; where they refuse calls that the query found, more are fetched,
    so that a page is short only at the end.
    """
    facts, circumstances = reader.facts, reader.circumstances()
    scope = scope_of(tenant_of(reader), facts.roles, facts.team, facts.agent_ids)
    if has_broken_glass(state.policies.decide, reader):
        scope = Scope.whole(tenant_of(reader))
    page: list[Mapping[str, Any]] = []
    async with state.database.session() as session:
        while True:
            rows = await repository.calls(session, scope, wanted, limit + 1)
            for row in rows:
                if not state.policies.decide(facts, PolicyAction.VIEW, facts_of(row), circumstances).allowed:
                    continue
                if len(page) == limit:
                    last = page[-1]
                    return page, CallCursor(started_at=last["started_at"], call_id=last["call_id"])
                page.append(row)
            if len(rows) <= limit:
                return page, None
            wanted = replace(wanted, after=(rows[-1]["started_at"], rows[-1]["call_id"]))


def _described(wanted: CallFilter) -> dict[str, Any]:
    """The filter for the audit entry."""
    return {
        "agent_id": wanted.agent_id,
        "external_id": wanted.external_id,
        "state": wanted.state,
        "from": wanted.since,
        "to": wanted.until,
        "after": wanted.after[1] if wanted.after else None,
    }
