"""Operators, tenants, principals, zones and settings: what changes, what is told, what is written down."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest

from access_service import ELSEWHERE, OFFICE, Access, Tenant, once, secrets_of, told
from otokura.shared.api_keys import hash_api_key, parse

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]


def pointers(refused: httpx.Response) -> list[str]:
    """Where in the request a problem says that the faults are."""
    return [error["pointer"] for error in refused.json()["errors"]]


@pytest.mark.guarantee("R9")
def test_bootstrap_makes_one_operator_once(access: Access) -> None:
    access.operator()
    body = {"token": access.bootstrap_token, "name": "Another"}
    again = httpx.post(f"{access.url}/v1/bootstrap", json=body)
    wrong = httpx.post(f"{access.url}/v1/bootstrap", json=body | {"token": "x" * 32})
    assert (again.status_code, wrong.status_code) == (403, 403)
    assert access.bootstrap_token not in again.text
    entry = access.audit.entry(action="bootstrap.completed")
    assert (entry["tenant_id"], entry["detail"]["name"]) == (None, "Operations")
    for _ in range(3):
        assert httpx.post(f"{access.url}/v1/bootstrap", json=body).status_code == 403
    refused = access.audit.at_least(2, action="bootstrap.refused")
    assert [(one["detail"]["why"], one["detail"]["count"]) for one in refused] == [
        (["token-used"], 1),
        (["no-such-token"], 1),
    ], "each reason and place once a minute"
    assert {(one["tenant_id"], one["reader"], one["detail"]["peer"]) for one in refused} == {
        (None, None, "127.0.0.1")
    }
    assert access.bootstrap_token not in str(refused)


def test_a_tenant_is_told_to_the_other_services(access: Access, tenant: Tenant) -> None:
    events = [e for e in told(access, "otokura.tenant.updated.v1") if e["tenant_id"] == str(tenant.id)]
    assert [event["version"] for event in events] == [1, 2]
    assert [purpose["name"] for purpose in events[-1]["settings"]["purposes"]] == ["quality", "training"]
    assert access.audit.entry(action="tenant.created", tenant_id=str(tenant.id))["detail"]["admin"]


def test_only_operators_manage_tenants(access: Access, tenant: Tenant) -> None:
    with access.client(tenant.admin) as client:
        assert client.get("/v1/tenants").status_code == 403
        assert client.post("/v1/tenants", json={"name": "x"}, headers=once()).status_code == 403
    with access.client(access.operator(), address=ELSEWHERE) as client:
        assert str(tenant.id) in {item["id"] for item in client.get("/v1/tenants").json()["items"]}
        assert client.get("/v1/settings").json()["why"] == ["no-tenant"]
        taken = client.get("/v1/tenants").json()["items"][0]["name"]
        assert client.post("/v1/tenants", json={"name": taken}, headers=once()).status_code == 409


def test_a_vendor_gets_a_key_whose_hash_alone_is_told(access: Access, tenant: Tenant) -> None:
    created = tenant.create("vendor", kind="client").json()
    key = created["api_key"]
    assert str(parse(key)) == created["client_id"] == created["id"]
    [event] = [e for e in told(access, "otokura.client.updated.v1") if e["client_id"] == created["id"]]
    assert event["api_key_sha256"] == hash_api_key(key)
    assert (event["roles"], event["disabled"]) == (["vendor"], False)
    everything = access.query("SELECT data FROM outbox")
    assert not any(key in row.data or created["client_secret"] in row.data for row in everything)
    assert key not in access.log_text()


def test_only_vendors_have_keys(tenant: Tenant) -> None:
    assert tenant.create("supervisor").json()["api_key"] is None


@pytest.mark.guarantee("R10")
def test_a_disabled_principal_is_out_at_once(access: Access, tenant: Tenant) -> None:
    vendor = tenant.create("vendor", kind="client").json()
    person = tenant.person("supervisor")
    with access.client(person.token) as client:
        assert client.get("/v1/calls").status_code == 200
    with access.client(tenant.admin) as admin:
        for principal in (vendor["id"], person.id):
            assert admin.delete(f"/v1/principals/{principal}").status_code == 204
        assert admin.delete(f"/v1/principals/{person.id}").status_code == 204
        assert admin.delete(f"/v1/principals/{uuid4()}").status_code == 404
    with access.client(person.token) as client:
        assert client.get("/v1/calls").status_code == 401
    form = {"grant_type": "client_credentials", **secrets_of(person.credentials)}
    refused = httpx.post(f"{access.url}/oauth2/token", data=form)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    events = [e for e in told(access, "otokura.client.updated.v1") if e["client_id"] == vendor["id"]]
    assert [(event["version"], event["disabled"]) for event in events] == [(1, False), (2, True)]
    assert str(person.id) in {e["subject"] for e in told(access, "otokura.token.revoked.v1")}


@pytest.mark.guarantee("R10")
def test_a_token_that_is_taken_back_is_no_longer_good(access: Access, tenant: Tenant) -> None:
    person = tenant.person("supervisor")
    with access.client(person.token) as client:
        assert client.post("/oauth2/revoke").status_code == 204
        assert client.get("/v1/calls").status_code == 401
        assert client.post("/oauth2/revoke").status_code == 401
    with access.client(access.token(person.credentials)) as client:
        assert client.get("/v1/calls").status_code == 200
    jti = jwt.decode(person.token, options={"verify_signature": False})["jti"]
    assert jti in {event["jti"] for event in told(access, "otokura.token.revoked.v1")}


def test_the_last_administrator_stays(access: Access, tenant: Tenant) -> None:
    with access.client(tenant.admin) as client:
        [admin] = [p for p in client.get("/v1/principals").json()["items"] if p["roles"] == ["admin"]]
        assert client.delete(f"/v1/principals/{admin['id']}").status_code == 409
        tenant.person("admin")
        assert client.delete(f"/v1/principals/{admin['id']}").status_code == 204
        assert client.get("/v1/principals").status_code == 401


def test_an_agent_id_belongs_to_one_person(access: Access, tenant: Tenant) -> None:
    tenant.person("agent", agent_ids=["a-1", "a-2"])
    taken = tenant.create("agent", agent_ids=["a-2", "a-3"])
    assert (taken.status_code, pointers(taken)) == (409, ["#/agent_ids/0"])
    assert "a-2" not in taken.text, "a problem shows nothing that was sent"
    tenant.person("agent", agent_ids=["a-3"])
    access.tenant().person("agent", agent_ids=["a-1"])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"roles": ["operator"]}, "role-not-assignable"),
        ({"roles": ["vendor", "admin"], "kind": "client"}, "role-not-assignable"),
        ({"roles": []}, "unprocessable"),
        ({"roles": ["king"]}, "unprocessable"),
        ({"name": " "}, "unprocessable"),
        ({"agent_ids": [""]}, "unprocessable"),
        ({"secret": "mine"}, "unprocessable"),
    ],
)
def test_principals_that_cannot_be_are_refused(tenant: Tenant, body: dict[str, Any], code: str) -> None:
    response = tenant.create("agent", **body)
    assert response.status_code == 422
    assert response.json()["type"] == f"urn:otokura:problem:{code}"


@pytest.mark.guarantee("W3")
def test_a_repeated_creation_creates_once_and_shows_no_secret_again(access: Access, tenant: Tenant) -> None:
    body, headers = {"name": "Hanako", "kind": "person", "roles": ["agent"]}, once()
    with access.client(tenant.admin) as client:
        first = client.post("/v1/principals", json=body, headers=headers)
        second = client.post("/v1/principals", json=body, headers=headers)
        other = client.post("/v1/principals", json=body | {"name": "Taro"}, headers=headers)
        without = client.post("/v1/principals", json=body)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] == second.json()["id"]
    assert first.json()["client_secret"]
    assert second.json()["client_secret"] is None
    assert (other.status_code, without.status_code) == (422, 400)
    kept = access.query("SELECT body FROM idempotency_keys")
    assert not any(first.json()["client_secret"] in row.body for row in kept)


def test_zones_hold_from_the_next_request(access: Access, tenant: Tenant) -> None:
    supervisor = tenant.person("supervisor")
    with access.client(tenant.admin) as admin, access.client(supervisor.token, address=ELSEWHERE) as away:
        assert away.get("/v1/calls").status_code == 403
        zone = {"name": "branch", "networks": ["198.51.100.0/24", "2001:db8::/32"]}
        created = admin.post("/v1/zones", json=zone, headers=once())
        assert created.status_code == 201
        assert admin.post("/v1/zones", json=zone, headers=once()).status_code == 409
        assert [item["name"] for item in admin.get("/v1/zones").json()["items"]] == ["branch", "office"]
        assert away.get("/v1/calls").status_code == 200
        assert admin.delete(f"/v1/zones/{created.json()['id']}").status_code == 204
        assert admin.delete(f"/v1/zones/{created.json()['id']}").status_code == 404
        assert away.get("/v1/calls").status_code == 403
    access.audit.entry(action="zone.deleted", tenant_id=str(tenant.id))
    actions = [e["action"] for e in access.audit.entries(tenant_id=str(tenant.id)) if "zone" in e["action"]]
    assert actions == ["zone.created", "zone.created", "zone.deleted"]


def test_a_zone_that_is_over_lets_nobody_in(access: Access, tenant: Tenant) -> None:
    supervisor = tenant.person("supervisor")
    with access.client(tenant.admin) as admin, access.client(supervisor.token, address=ELSEWHERE) as away:
        for name, times in (
            ("past", {"valid_until": "2020-01-01T00:00:00Z"}),
            ("future", {"valid_from": "2999-01-01T00:00:00+09:00"}),
        ):
            zone = {"name": name, "networks": ["198.51.100.0/24"], **times}
            assert admin.post("/v1/zones", json=zone, headers=once()).status_code == 201
        assert away.get("/v1/calls").status_code == 403


def test_a_zone_is_changed_as_it_was_read_and_holds_at_once(access: Access, tenant: Tenant) -> None:
    supervisor, wider = tenant.person("supervisor"), {"networks": ["198.51.100.0/24", "203.0.113.0/24"]}
    with access.client(tenant.admin) as admin, access.client(supervisor.token, address=ELSEWHERE) as away:
        [office] = admin.get("/v1/zones").json()["items"]
        path = f"/v1/zones/{office['id']}"
        match = {"If-Match": admin.get(path).headers["ETag"]}
        assert admin.put(path, json=wider).status_code == 428
        changed = admin.put(path, json=wider, headers=match)
        assert (changed.status_code, changed.json()["networks"]) == (200, wider["networks"])
        assert (changed.json()["name"], changed.headers["ETag"]) == ("office", '"2"')
        assert admin.put(path, json=wider, headers=match).status_code == 412
        assert away.get("/v1/calls").status_code == 200
        over = {**wider, "valid_until": "2020-01-01T00:00:00Z"}
        match = {"If-Match": changed.headers["ETag"]}
        assert admin.put(path, json=over, headers=match, params={"confirm": True}).status_code == 200
        assert away.get("/v1/calls").status_code == 403
        assert admin.get(f"/v1/zones/{uuid4()}").status_code == 404
    entries = access.audit.at_least(2, action="zone.changed", tenant_id=str(tenant.id))
    assert [entry["detail"]["zone"]["before"]["networks"] for entry in entries] == [
        office["networks"],
        wider["networks"],
    ]


def test_who_would_put_themselves_outside_every_zone_says_that_they_mean_it(
    access: Access, tenant: Tenant
) -> None:
    narrow = {"networks": ["198.51.100.0/24"]}
    with access.client(tenant.admin) as admin:
        [office] = admin.get("/v1/zones").json()["items"]
        path = f"/v1/zones/{office['id']}"
        match = {"If-Match": admin.get(path).headers["ETag"]}
        for refused in (admin.delete(path), admin.put(path, json=narrow, headers=match)):
            assert (refused.status_code, refused.json()["type"]) == (
                409,
                "urn:otokura:problem:would-lock-you-out",
            )
            assert OFFICE in refused.json()["detail"]
        assert admin.get(path).json()["networks"] == office["networks"]
        # With another zone that holds them nothing is asked.
        home = {"name": "home", "networks": [f"{OFFICE}/32"]}
        other = admin.post("/v1/zones", json=home, headers=once()).json()
        assert admin.delete(path).status_code == 204
        last = f"/v1/zones/{other['id']}"
        assert admin.delete(last).status_code == 409
        assert admin.delete(last, params={"confirm": True}).status_code == 204
    # From elsewhere there is nothing to lose.
    with access.client(tenant.admin, address=ELSEWHERE) as admin:
        made = admin.post("/v1/zones", json=home, headers=once()).json()
        assert admin.delete(f"/v1/zones/{made['id']}").status_code == 204


@pytest.mark.parametrize(
    "changes",
    [
        {"networks": ["10.0.0.1/8"]},
        {"networks": ["everywhere"]},
        {"networks": ["0.0.0.0/0"]},
        {"networks": []},
        {"name": "Office Ω"},
        {"valid_from": "2026-01-02T00:00:00Z", "valid_until": "2026-01-01T00:00:00Z"},
        {"valid_from": "2026-01-02T00:00:00"},
    ],
)
def test_zones_that_cannot_be_are_refused(access: Access, tenant: Tenant, changes: dict[str, Any]) -> None:
    zone = {"name": "branch", "networks": ["10.0.0.0/8"], **changes}
    with access.client(tenant.admin) as client:
        response = client.post("/v1/zones", json=zone, headers=once())
    assert response.status_code == 422
    assert response.json()["errors"]


def test_settings_are_not_overwritten_unseen(access: Access, tenant: Tenant) -> None:
    with access.client(tenant.admin) as client:
        read = client.get("/v1/settings")
        match = {"If-Match": read.headers["ETag"]}
        changed = read.json() | {"require_notice": True}
        first = client.put("/v1/settings", json=changed, headers=match)
        assert (first.status_code, first.json()["require_notice"]) == (200, True)
        assert client.put("/v1/settings", json=changed, headers=match).status_code == 412
        assert client.put("/v1/settings", json=changed).status_code == 428
        match = {"If-Match": first.headers["ETag"]}
        double = changed | {"purposes": read.json()["purposes"][:1] * 2}
        assert client.put("/v1/settings", json=double, headers=match).status_code == 422
        unknown = changed | {"retention": 7}
        assert client.put("/v1/settings", json=unknown, headers=match).status_code == 422
    entries = access.audit.at_least(2, action="settings.changed", tenant_id=str(tenant.id))
    assert entries[-1]["detail"]["changed"] == ["require_notice"]
    assert entries[-1]["detail"]["before"] == {"require_notice": False}


@pytest.mark.guarantee("T80")
def test_text_goes_back_to_phone_systems_only_as_an_administrator_says(
    access: Access, tenant: Tenant
) -> None:
    """For one of the tenant's purposes, with live text; the entry says which, and nobody else may set it."""
    with access.client(tenant.admin) as client:
        read = client.get("/v1/settings")
        match = {"If-Match": read.headers["ETag"]}
        assert read.json()["audiohook_transcripts"] is None
        wanted = read.json() | {"live_transcripts": True, "audiohook_transcripts": "quality"}
        for changes in (
            {"live_transcripts": False},
            {"audiohook_transcripts": "marketing"},
            {"audiohook_transcripts": "Quality"},
            {"audiohook_transcripts": True},
        ):
            assert client.put("/v1/settings", json=wanted | changes, headers=match).status_code == 422
        assert client.put("/v1/settings", json=wanted, headers=match).json() == wanted
    with access.client(tenant.person("supervisor").token) as client:
        assert client.put("/v1/settings", json=read.json(), headers=match).status_code == 403
    entry = access.audit.at_least(2, action="settings.changed", tenant_id=str(tenant.id))[-1]
    assert entry["detail"]["changed"] == ["audiohook_transcripts", "live_transcripts"]
    assert entry["detail"]["audiohook_transcripts"] == "quality"
