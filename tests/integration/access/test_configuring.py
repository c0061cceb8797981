"""Operators, tenants, principals, zones and settings: what changes, what is told, what is written down."""

from __future__ import annotations

import base64
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest

from access_service import ELSEWHERE, ISSUER, OFFICE, Access, Tenant, once
from otokura.shared.api_keys import hash_api_key, parse

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]


def told(access: Access, kind: str) -> list[dict[str, Any]]:
    """The data of the events of a type that wait in the outbox or were sent, oldest first."""
    rows = access.query("SELECT data::json AS data FROM outbox WHERE type = :kind ORDER BY id", kind=kind)
    return [row.data for row in rows]


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
    assert (taken.status_code, taken.json()["agent_ids"]) == (409, ["a-2"])
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
    entries = access.audit.entries(action="settings.changed", tenant_id=str(tenant.id))
    assert entries[-1]["detail"]["changed"] == ["require_notice"]


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
    entry = access.audit.entries(action="settings.changed", tenant_id=str(tenant.id))[-1]
    assert entry["detail"]["changed"] == ["audiohook_transcripts", "live_transcripts"]
    assert entry["detail"]["audiohook_transcripts"] == "quality"


def secrets_of(credentials: dict[str, Any]) -> dict[str, str]:
    return {name: credentials[name] for name in ("client_id", "client_secret")}


def test_a_token_is_written_down_before_it_is_given(access: Access, tenant: Tenant) -> None:
    person = tenant.person("agent", agent_ids=["a-1"], team="tokyo")
    claims = jwt.decode(person.token, options={"verify_signature": False})
    entry = access.audit.entry(action="token.issued", reader=str(person.id))
    assert entry["detail"]["jti"] == claims["jti"]
    assert (claims["iss"], claims["roles"], claims["agent_ids"]) == (ISSUER, ["agent"], ["a-1"])
    keys = {key["kid"]: key for key in httpx.get(f"{access.url}/.well-known/jwks.json").json()["keys"]}
    header = jwt.get_unverified_header(person.token)
    verified = jwt.decode(
        person.token, jwt.PyJWK(keys[header["kid"]]), algorithms=["EdDSA"], audience="otokura", issuer=ISSUER
    )
    assert verified == claims
    assert header["kid"] in {
        key["kid"] for e in told(access, "otokura.issuer.updated.v1") for key in e["jwks"]["keys"]
    }


def test_clients_may_authenticate_by_basic(access: Access, tenant: Tenant) -> None:
    credentials = secrets_of(tenant.create("supervisor").json())
    basic = httpx.BasicAuth(credentials["client_id"], credentials["client_secret"])
    form = {"grant_type": "client_credentials"}
    response = httpx.post(f"{access.url}/oauth2/token", data=form, auth=basic)
    assert (response.status_code, response.json()["expires_in"]) == (200, 900)
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.guarantee("W1")
def test_a_guessed_secret_leaves_one_trace(access: Access, tenant: Tenant) -> None:
    person = tenant.create("supervisor").json()
    form = {"grant_type": "client_credentials", "client_id": person["id"], "client_secret": "guess"}
    with access.client(address=OFFICE) as client:
        answers = [client.post("/oauth2/token", data=form) for _ in range(3)]
        nobody = client.post("/oauth2/token", data=form | {"client_id": str(uuid4())})
    assert {answer.status_code for answer in answers} == {401}
    assert answers[0].json() == nobody.json()
    assert answers[0].headers["WWW-Authenticate"].startswith("Basic")
    entry = access.audit.entry(action="token.denied", reader=person["id"])
    assert (entry["detail"]["why"], entry["detail"]["address"]) == ("secret", OFFICE)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"grant_type=password", "invalid_client"),
        (b"grant_type=password&client_id=x&client_secret=y", "unsupported_grant_type"),
        (b"client_id=x&client_secret=y", "invalid_request"),
        (b"grant_type=a&grant_type=b", "invalid_request"),
        (b"\xff=\xff", "invalid_request"),
        (b"", "invalid_client"),
        (b"a=1&" * 50, "invalid_request"),
    ],
)
def test_token_requests_that_cannot_be_read_are_refused(access: Access, content: bytes, error: str) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    response = httpx.post(f"{access.url}/oauth2/token", content=content, headers=headers)
    assert (response.status_code, response.json()["error"]) == (
        401 if error == "invalid_client" else 400,
        error,
    )


def test_a_token_request_must_be_a_form(access: Access) -> None:
    response = httpx.post(f"{access.url}/oauth2/token", json={"grant_type": "client_credentials"})
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")
    broken = {"Authorization": "Basic " + base64.b64encode(b"\x00").decode()}
    form = {"grant_type": "client_credentials"}
    assert httpx.post(f"{access.url}/oauth2/token", data=form, headers=broken).status_code == 401
