"""Who may not search, and what cannot be looked for, is refused in words that help."""

from __future__ import annotations

from typing import Any

import pytest

from access_calls import started_of
from access_service import ELSEWHERE, Access, Tenant
from otokura.shared.ids import uuid7
from search_requests import found, indexed, look, said

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]


def test_who_may_not_search_is_refused_and_that_is_written(access: Access, tenant: Tenant) -> None:
    indexed(access, said(tenant, "解約したい"))
    officer, supervisor = tenant.person("evidence-officer"), tenant.person("supervisor")
    for token, about, status, words in (
        (tenant.admin, {}, 403, "role does not permit"),
        (tenant.person("auditor").token, {}, 403, "role does not permit"),
        (officer.token, {}, 403, "needs a reason"),
        (supervisor.token, {"address": ELSEWHERE}, 403, "in none of the zones"),
        ("nonsense", {}, 401, ""),
    ):
        refused = look(access, token, "解約", **about)
        assert refused.status_code == status, refused.text
        assert words in refused.json()["detail"]
    for who in (officer, supervisor):
        [denied] = access.audit.entries(action="read.denied", reader=str(who.id))
        assert denied["detail"]["action"] == "search-text"
        assert "解約" not in str(denied)


@pytest.mark.parametrize(
    ("phrase", "about", "status"),
    [
        ("", {}, 422),
        ("、。", {}, 422),
        ("約", {}, 422),
        ("ab", {}, 422),
        ("x" * 201, {}, 422),
        ("\x00\x00\x00", {}, 400),
        ("解約", {"purpose": None}, 422),
        ("解約", {"signals": ["angry"]}, 422),
        ("解約", {"agent_id": "a\x00"}, 400),
        ("解約", {"agent_id": "a\n"}, 422),
        ("解約", {"limit": 0}, 422),
        ("解約", {"from": "yesterday"}, 422),
        ("解約", {"cursor": "%00"}, 400),
        ("解約", {"nonsense": 1}, 422),
    ],
)
def test_questions_that_cannot_be_understood_are_refused(
    access: Access, tenant: Tenant, phrase: str, about: dict[str, Any], status: int
) -> None:
    refused = look(access, tenant.person("supervisor").token, phrase, **about)
    assert refused.status_code == status, refused.text
    assert refused.headers["Content-Type"] == "application/problem+json"


def test_a_body_of_broken_characters_is_refused(access: Access, tenant: Tenant) -> None:
    with access.client(tenant.person("supervisor").token) as client:
        body = b'{"phrase": "\\ud800\\ud800\\ud800", "purpose": "quality"}'
        refused = client.post("/v1/search", content=body, headers={"Content-Type": "application/json"})
    assert refused.status_code in {400, 422}


def test_a_tenant_of_which_nothing_was_ever_indexed_finds_nothing(access: Access, tenant: Tenant) -> None:
    access.apply(started_of(uuid7(), tenant.id))
    token = tenant.person("supervisor").token
    assert found(access, token, "解約") == []
    assert look(access, token, "解約", cursor="e30").status_code == 400
