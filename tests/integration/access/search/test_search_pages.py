"""The pages of a search: each call once, none lost, and so many opened in a request."""

from __future__ import annotations

import asyncio

import pytest

from access_audit import run
from access_calls import Call, seal_call
from access_service import Access, Tenant
from search_requests import START, at, ids, indexed, look, page, said
from searched_calls import saying

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]


@pytest.mark.guarantee("R44")
def test_pages_hold_each_call_once_while_calls_are_added(access: Access, tenant: Tenant) -> None:
    before = [said(tenant, "解約したい", started_at=START) for _ in range(3)]
    before += [said(tenant, "解約したい", **at(n)) for n in (1, 2)]
    indexed(access, *before)
    token = tenant.person("supervisor").token
    seen: list[str] = []
    cursor: dict[str, str] = {}
    for number in range(10):
        shown = page(access, token, "解約", limit=1, **cursor)
        seen += [item["call"]["id"] for item in shown["items"]]
        added = [said(tenant, "解約したい", **at(10 + number)), said(tenant, "別の話", **at(number))]
        indexed(access, *added)
        if shown["next_cursor"] is None:
            break
        cursor = {"cursor": shown["next_cursor"]}
    assert len(seen) == len(set(seen))
    assert set(seen) == set(ids(*before))


@pytest.mark.guarantee("R44")
def test_a_cursor_answers_its_own_question_and_reader_only(access: Access, tenant: Tenant) -> None:
    indexed(access, *(said(tenant, "解約したい", **at(n)) for n in range(2)))
    one, other = tenant.person("supervisor").token, tenant.person("supervisor").token
    cursor = page(access, one, "解約", limit=1)["next_cursor"]
    stranger = access.tenant().person("supervisor").token
    for token, phrase, about in (
        (one, "解約し", {}),
        (one, "解約", {"language": "ja"}),
        (other, "解約", {}),
        (stranger, "解約", {}),
        (one, "解約", {"cursor": "e30"}),
    ):
        refused = look(access, token, phrase, **{"cursor": cursor, **about})
        assert (refused.status_code, refused.json()["title"]) == (400, "Bad request")
    assert len(page(access, one, "解約", limit=5, cursor=cursor)["items"]) == 1


async def _many(access: Access, tenant: Tenant, count: int) -> list[Call]:
    async with access.store() as store:
        making = (
            seal_call(store, access.keys, tenant.id, b"audio", said=saying("約束解約"), **at(n))
            for n in range(count)
        )
        return await asyncio.gather(*making)


@pytest.mark.slow
@pytest.mark.guarantee("R44")
def test_a_request_opens_so_many_candidates_and_goes_on(access: Access, tenant: Tenant) -> None:
    """All have the pieces 約束, 束解 and 解約, and 解約束 in none of them."""
    last = said(tenant, "解約束解", **at(-1))
    candidates = run(_many(access, tenant, 101))
    for one in candidates:
        access.apply(*one.events)
    indexed(access, last, *candidates)
    token = tenant.person("supervisor").token
    first = page(access, token, "解約束解")
    assert (first["items"], first["at_least"]) == ([], 0)
    second = page(access, token, "解約束解", cursor=first["next_cursor"])
    assert [item["call"]["id"] for item in second["items"]] == ids(last)
    assert (second["next_cursor"], second["at_least"]) == (None, 1)
    opened = [e["detail"]["opened"] for e in access.audit.entries(action="transcripts.searched")][-2:]
    assert opened == [100, 2]
