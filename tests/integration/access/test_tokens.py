"""The token endpoint: who gets a token, what is refused, and what is written down."""

from __future__ import annotations

import base64
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest

from access_service import (
    ELSEWHERE,
    ISSUER,
    OFFICE,
    OFFICE_ZONE,
    Access,
    Tenant,
    once,
    secrets_of,
    told,
)

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]


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
    with access.client() as client:
        response = client.post("/oauth2/token", data=form, auth=basic)
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


def asked(access: Access, who: dict[str, Any], address: str | None) -> httpx.Response:
    form = {"grant_type": "client_credentials"} | secrets_of(who)
    with access.client(address=address) as client:
        return client.post("/oauth2/token", data=form)


@pytest.mark.guarantee("P8")
def test_a_persons_first_secret_is_good_from_where_they_may_log_in(access: Access, tenant: Tenant) -> None:
    """A program's is good from everywhere."""
    person = tenant.create("supervisor").json()
    for address, why in ((ELSEWHERE, ["log-in-outside-zones"]), (None, None)):
        outside = asked(access, person, address)
        assert (outside.status_code, "access_token" in outside.text) == (403, False)
        assert why is None or outside.json()["why"] == why
    refused = access.audit.at_least(2, action="login.refused", reader=person["id"])
    assert {entry["detail"]["address"] for entry in refused} == {ELSEWHERE, None}
    assert not access.audit.entries(action="token.issued", reader=person["id"])
    assert asked(access, person, OFFICE).status_code == 200
    program = tenant.create("vendor", kind="client").json()
    assert [asked(access, program, place).status_code for place in (ELSEWHERE, OFFICE)] == [200, 200]


@pytest.mark.guarantee("P8")
def test_the_first_administrator_makes_the_first_zone_from_wherever_they_are(access: Access) -> None:
    """But not from where nobody can tell."""
    with access.client(access.operator()) as client:
        made = client.post("/v1/tenants", json={"name": f"T {uuid4()}"}, headers=once()).json()
    assert asked(access, made["admin"], None).json()["why"] == ["unknown-address"]
    token = asked(access, made["admin"], ELSEWHERE).json()["access_token"]
    with access.client(token, address=ELSEWHERE) as client:
        agent = {"name": "花子", "kind": "person", "roles": ["agent"]}
        person = client.post("/v1/principals", json=agent, headers=once()).json()
        assert asked(access, person, OFFICE).status_code == 403
        zone = {"name": "office", "networks": [OFFICE_ZONE]}
        assert client.post("/v1/zones", json=zone, headers=once()).status_code == 201
    assert asked(access, person, OFFICE).status_code == 200


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
