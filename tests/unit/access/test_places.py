"""What is costly is done so many times at once, and no more, for each who asks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from fastapi import Response

from otokura.access.identity.subject import Reader
from otokura.access.lifecycle import customers, erasures
from otokura.access.lifecycle.customers import Found
from otokura.access.lifecycle.views import CallSelection
from otokura.access.places import Places
from otokura.access.search import api as search_api
from otokura.access.search.searching import Asked
from otokura.access.search.views import SearchBody, SearchPage
from otokura.access.state import AccessState
from otokura.shared.address import Reason, ResolvedAddress
from otokura.shared.audit import AuditDraft
from otokura.shared.errors import TooManyRequests
from otokura.shared.events import Role
from otokura.shared.policy.facts import ReaderFacts

BODY = SearchBody.model_validate({"phrase": "解約", "purpose": "quality"})
EMPTY = SearchPage(items=[], next_cursor=None, at_least=0, unreadable=0)
MINE = CallSelection.model_validate({"customer": {"numbers": ["0312345678"]}})


def officer(tenant_id: UUID) -> Reader:
    facts = ReaderFacts(uuid4(), tenant_id, frozenset({Role.EVIDENCE_OFFICER}))
    return Reader(facts, "officer", ResolvedAddress(None, "127.0.0.1", (), Reason.DIRECT), ("office",))


@pytest.mark.guarantee("R50")
def test_each_has_so_many_places_and_gives_them_back() -> None:
    places = Places(2)
    with places.take("one", "wait", 10), places.take("one", "wait", 10), places.take("other", "wait", 10):
        with pytest.raises(TooManyRequests) as refused, places.take("one", "wait", 10):
            raise AssertionError("a third place, and there are two")
        assert (refused.value.detail, refused.value.headers) == ("wait", {"Retry-After": "10"})
    with pytest.raises(ZeroDivisionError), places.take("one", "wait", 10):
        raise ZeroDivisionError
    assert len(places) == 0


@pytest.mark.guarantee("R50")
async def test_who_is_turned_away_has_looked_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither an entry nor a key is touched; another tenant is not in the way."""
    written: list[AuditDraft] = []

    async def write(draft: AuditDraft) -> UUID:
        written.append(draft)
        return uuid4()

    async def find(*_: object) -> Found:
        return Found()

    monkeypatch.setattr(customers, "find", find)
    state = cast("AccessState", SimpleNamespace(findings=Places(1), audit=SimpleNamespace(write=write)))
    ours, theirs = officer(uuid4()), officer(uuid4())
    with state.findings.take(ours.facts.tenant_id, "", 1):
        with pytest.raises(TooManyRequests) as refused:
            await erasures.select_calls(state, MINE, ours)
        assert (refused.value.headers, written) == ({"Retry-After": "10"}, [])
        assert await erasures.select_calls(state, MINE, theirs) == Found()
    assert await erasures.select_calls(state, MINE, ours) == Found()
    assert len(written) == 2


@pytest.mark.guarantee("R50")
async def test_a_reader_searches_so_often_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, other = officer(uuid4()), officer(uuid4())
    state = cast("AccessState", SimpleNamespace(searches=Places(1)))
    nothing: Any = None

    async def search_as(who: Reader) -> SearchPage:
        async def admitted(*_: object) -> Asked:
            return Asked(state, who, BODY)

        monkeypatch.setattr(search_api, "_admitted", admitted)
        return await search_api.search_text(BODY, state, nothing, nothing, Response())

    async def search(_: Asked) -> SearchPage:
        return EMPTY

    monkeypatch.setattr(search_api, "search", search)
    with state.searches.take(reader.facts.id, "", 1):
        with pytest.raises(TooManyRequests) as refused:
            await search_as(reader)
        assert refused.value.headers["Retry-After"]
        assert await search_as(other) == EMPTY
    assert await search_as(reader) == EMPTY
