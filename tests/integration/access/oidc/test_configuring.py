"""A tenant's administrator configures identity providers; nobody else does, and nothing by mistake."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from access_service import ELSEWHERE, Access, Tenant, once
from issuer_server import Issuer
from oidc_people import Trust, settings, trust

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]


@pytest.mark.guarantee("P16")
def test_an_issuer_comes_is_changed_and_goes_and_each_is_an_entry(
    access: Access, tenant: Tenant, issuer: Issuer
) -> None:
    trusted = trust(access, tenant, issuer)
    with trusted.admin() as client:
        found = client.get(trusted.path)
        assert (found.status_code, found.headers["ETag"]) == (200, '"1"')
        assert (found.json()["issuer"], found.json()["subject_claim"]) == (issuer.url, "sub")
        assert client.get("/v1/oidc-issuers").json()["items"] == [found.json()]
        changed = trusted.change(provisioning=False)
        assert (changed.status_code, changed.headers["ETag"]) == (200, '"2"')
        assert client.get(trusted.path).json() == changed.json() == found.json() | {"provisioning": False}
        assert client.delete(trusted.path).status_code == 204
        for path in (trusted.path, f"{trusted.path}/subjects"):
            assert client.get(path).status_code == 404
        assert client.delete(trusted.path).status_code == 404
    of_tenant = {"tenant_id": str(tenant.id)}
    configured = access.audit.entry(action="issuer.configured", **of_tenant)["detail"]["issuer"]
    assert (configured["issuer"], configured["settings"]["provisioning"]) == (issuer.url, True)
    change = access.audit.entry(action="issuer.changed", **of_tenant)["detail"]["issuer"]
    assert (change["before"]["provisioning"], change["settings"]["provisioning"]) == (True, False)
    assert access.audit.entry(action="issuer.removed", **of_tenant)["detail"]["issuer"]["version"] == 2


@pytest.mark.guarantee("P12")
def test_what_two_tenants_could_both_take_for_theirs_is_refused(
    access: Access, tenant: Tenant, issuer: Issuer
) -> None:
    trusted = trust(access, tenant, issuer)
    mine = trusted.change(audience=f"shared-{tenant.id}").json()["audience"]
    other = access.tenant()
    with access.client(other.admin) as client:
        for required in (None, {"claim": "hd", "value": "other.example"}):
            body = settings(issuer, other, audience=mine, required=required)
            refused = client.post("/v1/oidc-issuers", json=body, headers=once())
            assert (refused.status_code, refused.json()["type"]) == (
                409,
                "urn:otokura:problem:issuer-ambiguous",
            )
            assert str(tenant.id) not in refused.text
    theirs = trust(access, other, issuer)
    assert theirs.change(audience=mine).status_code == 409
    hd = {"claim": "hd", "value": "mine.example"}
    assert trusted.change(audience=mine, required=hd).status_code == 200
    assert theirs.change(audience=mine, required=hd).status_code == 409
    assert theirs.change(audience=mine, required={**hd, "value": "theirs.example"}).status_code == 200
    with access.client(tenant.admin) as client:
        body = settings(issuer, tenant, audience="another")
        assert client.post("/v1/oidc-issuers", json=body, headers=once()).status_code == 409


def test_only_the_tenant_s_administrators_configure(access: Access, trusted: Trust) -> None:
    other = access.tenant()
    body = {"subject": "x", "principal_id": str(uuid4())}
    for token, expected in (
        (other.admin, 404),
        (trusted.tenant.person("supervisor").token, 403),
        (trusted.tenant.person("auditor").token, 403),
        (access.operator(), 403),
        (trusted.person("hanako"), 403),
        (None, 401),
    ):
        with access.client(token, address=ELSEWHERE if token is None else "203.0.113.7") as client:
            match = {"If-Match": '"1"'}
            change = {"audience": "mine"}
            answers = [
                client.get(trusted.path),
                client.put(trusted.path, json=change, headers=match),
                client.delete(trusted.path),
                client.get(f"{trusted.path}/subjects"),
                client.post(f"{trusted.path}/subjects", json=body, headers=once()),
                client.delete(f"{trusted.path}/subjects/{uuid4()}"),
                client.put(f"{trusted.path}/subjects/{uuid4()}/not-before", json={}),
            ]
        assert [answer.status_code for answer in answers] == [expected] * len(answers)


@pytest.mark.parametrize(
    "wrong",
    [
        {"audience": ""},
        {"audience": "absent"},
        {"issuer": ""},
        {"issuer": "https://access.test"},
        {"algorithms": ["HS256"]},
        {"algorithms": ["none"]},
        {"subject_claim": "email"},
        {"groups": [{"group": "x", "role": "operator"}]},
        {"groups": [{"group": "x", "role": "vendor"}]},
        {"groups": []},
        {"provisioning": "perhaps"},
        {"secret": "x"},
    ],
)
def test_a_configuration_that_cannot_be_meant_is_refused_in_words(
    access: Access, tenant: Tenant, issuer: Issuer, wrong: dict[str, Any]
) -> None:
    body = {name: value for name, value in {**settings(issuer, tenant), **wrong}.items() if value != "absent"}
    with access.client(tenant.admin) as client:
        refused = client.post("/v1/oidc-issuers", json=body, headers=once())
        assert refused.status_code == 422, refused.text
        assert client.get("/v1/oidc-issuers").json() == {"items": []}


def test_nobody_overwrites_what_they_have_not_seen(access: Access, trusted: Trust) -> None:
    with trusted.admin() as client:
        change = {"audience": "another"}
        assert client.put(trusted.path, json=change).status_code == 428
        assert client.put(trusted.path, json=change, headers={"If-Match": '"7"'}).status_code == 412
        assert (
            client.put(f"/v1/oidc-issuers/{uuid4()}", json=change, headers={"If-Match": '"1"'}).status_code
            == 404
        )
    del access


def test_somebody_who_was_made_is_disabled_and_not_unbound(trusted: Trust) -> None:
    assert trusted.status(trusted.person("hanako")) == 200
    principal_id = trusted.subjects()["hanako"]["principal_id"]
    vendor = trusted.tenant.create("vendor", kind="client").json()
    with trusted.admin() as client:
        assert client.delete(f"{trusted.path}/subjects/{principal_id}").status_code == 409
        for principal, expected in ((vendor["id"], 422), (str(uuid4()), 404)):
            body = {"subject": "x", "principal_id": principal}
            answer = client.post(f"{trusted.path}/subjects", json=body, headers=once())
            assert answer.status_code == expected
