"""Rules of insight that a tenant sets: kept and told; those that cannot work are refused where they stand."""

from __future__ import annotations

from typing import Any

import pytest

from access_service import Access, Tenant
from otokura.shared.events import TenantSettings

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]

RULE: dict[str, Any] = {
    "id": "trial",
    "kind": "reason",
    "label": "trial",
    "language": "ja",
    "roles": ["customer"],
    "phrases": ["お試し(期間|)*(終わ|解約)"],
}


def put(access: Access, tenant: Tenant, rules: dict[str, Any]) -> Any:
    with access.client(tenant.admin) as client:
        read = client.get("/v1/settings")
        match = {"If-Match": read.headers["ETag"]}
        return client.put("/v1/settings", json=read.json() | {"insight_rules": rules}, headers=match)


@pytest.mark.guarantee("T32")
def test_a_tenants_rules_are_told_as_they_were_set(access: Access, tenant: Tenant) -> None:
    rules = {"add": [RULE], "disable": ["ja.abuse.long-call"]}
    response = put(access, tenant, rules)
    assert response.status_code == 200, response.text
    query = "SELECT data::json AS data FROM outbox WHERE key = :key ORDER BY id DESC LIMIT 1"
    [row] = access.query(query, key=str(tenant.id))
    told = TenantSettings.model_validate(row.data["settings"]).insight_rules
    assert [rule.id for rule in told.add] == ["trial"]
    assert told.add[0].phrases == RULE["phrases"]
    assert told.disable == ("ja.abuse.long-call",)
    again = put(access, tenant, response.json()["insight_rules"])
    assert again.json()["insight_rules"] == response.json()["insight_rules"]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an id of ours": ({"add": [RULE | {"id": "ja.trial"}]}, "#/insight_rules/add/0/id"),
    "an id twice": ({"add": [RULE, RULE]}, "#/insight_rules"),
    "an expression": ({"add": [RULE | {"phrases": ["(a+)+$ (x"]}]}, "#/insight_rules/add/0/phrases/0"),
    "a gap at the end": ({"add": [RULE | {"unless": ["あれ*"]}]}, "#/insight_rules/add/0/unless/0"),
    "one character": ({"add": [RULE | {"phrases": ["あ。"]}]}, "#/insight_rules/add/0/phrases/0"),
    "no phrase": ({"add": [RULE | {"phrases": []}]}, "#/insight_rules/add/0/phrases"),
    "a long phrase": ({"add": [RULE | {"phrases": ["あ" * 241]}]}, "#/insight_rules/add/0/phrases/0"),
    "an unknown kind": ({"add": [RULE | {"kind": "mood"}]}, "#/insight_rules/add/0/kind"),
    "an unknown member": ({"add": [RULE | {"regex": "x"}]}, "#/insight_rules/add/0/regex"),
    "an unknown rule": ({"disable": ["ja.abuse.long-cal"]}, "#/insight_rules/disable/0"),
    "too many phrases": (
        {"add": [RULE | {"id": f"r{n}", "phrases": ["あれこれ"] * 100} for n in range(4)]},
        "#/insight_rules",
    ),
}


def test_rules_that_cannot_work_are_refused_where_they_stand(access: Access, tenant: Tenant) -> None:
    for name, (given, pointer) in REFUSED.items():
        response = put(access, tenant, given)
        assert response.status_code == 422, name
        assert pointer in [error["pointer"] for error in response.json()["errors"]], name
    with access.client(tenant.admin) as client:
        assert client.get("/v1/settings").json()["insight_rules"] == {"add": [], "disable": []}
