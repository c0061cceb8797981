"""People are invited, accept, log in, go on and leave: the whole way, and what is written down of it."""

from __future__ import annotations

from urllib.parse import parse_qs, urlparse
from uuid import uuid4

import jwt
import pytest

from access_people import (
    PASSWORD,
    WRONG,
    Somebody,
    accept,
    app_code,
    company,
    confirm,
    demand_second_factor,
    invite,
    refresh,
    somebody,
    status,
)
from access_service import ELSEWHERE, OFFICE, Access, Tenant

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]


@pytest.fixture
def hanako(tenant: Tenant) -> Somebody:
    return somebody(tenant)


def test_a_person_is_invited_accepts_and_logs_in(access: Access, tenant: Tenant) -> None:
    person = tenant.person("supervisor")
    invited = invite(tenant, person.id, "Hanako@Midori.example")
    assert invited.status_code == 201, invited.text
    token = invited.json()["token"]
    assert invited.json()["login"] == "hanako@midori.example"
    accepted = accept(tenant, token)
    assert accepted.status_code == 200, accepted.text
    assert accepted.headers["Cache-Control"] == "no-store"
    assert (accepted.json()["company"], accepted.json()["confirmed"]) == (company(tenant), False)
    uri = urlparse(accepted.json()["otpauth_uri"])
    secret = accepted.json()["secret"]
    assert (uri.scheme, parse_qs(uri.query)["secret"]) == ("otpauth", [secret])
    assert confirm(tenant, token, "000000").status_code == 422
    assert status(access, person.token) == 200  # nothing has changed yet
    assert confirm(tenant, token, app_code(secret)).status_code == 204
    hanako = Somebody(tenant, person.id, company(tenant), "HANAKO@midori.example", secret)
    tokens = hanako.session()
    claims = jwt.decode(tokens["access_token"], options={"verify_signature": False})
    assert claims["jti"].startswith(f"{tokens['session_id']}.")
    assert (claims["sub"], claims["kind"], claims["roles"]) == (str(person.id), "person", ["supervisor"])
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 900)
    assert status(access, tokens["access_token"]) == 200
    for action in ("invitation.made", "invitation.accepted", "login.succeeded"):
        assert access.audit.entry(action=action, tenant_id=str(tenant.id))
    made = access.audit.entry(action="login.succeeded", reader=str(person.id))["detail"]
    assert (made["session"], made["jti"]) == (tokens["session_id"], claims["jti"])
    assert (made["address"], made["zones"], made["second_factor"]) == (OFFICE, ["office"], True)


@pytest.mark.guarantee("P8")
def test_a_second_factor_is_demanded_unless_the_company_does_without(access: Access, tenant: Tenant) -> None:
    person = tenant.create("agent").json()["id"]
    token = invite(tenant, person, "rokuro").json()["token"]
    assert accept(tenant, token, second_factor=False).status_code == 422
    demand_second_factor(tenant, False)
    accepted = accept(tenant, token, second_factor=False)
    assert (accepted.json()["confirmed"], accepted.json()["secret"]) == (True, None)
    rokuro = Somebody(tenant, person, company(tenant), "rokuro", None)
    tokens = rokuro.session()
    assert access.audit.entry(action="login.succeeded", reader=person)["detail"]["second_factor"] is False
    with_factor = somebody(tenant)
    assert with_factor.log_in(code=None).status_code == 401  # who has one uses it
    demand_second_factor(tenant, True)
    refused = [rokuro.log_in(), refresh(access, tokens["refresh_token"])]
    assert [answer.json()["type"] for answer in refused] == ["urn:otokura:problem:second-factor-needed"] * 2
    assert status(access, tokens["access_token"]) == 401
    assert rokuro.log_in(**WRONG).status_code == 401
    why = {e["detail"]["why"] for e in access.audit.entries(action="login.refused", reader=person)}
    assert why == {"no-second-factor", "password"}


@pytest.mark.guarantee("P8")
def test_nobody_logs_in_or_goes_on_from_outside_the_zones(
    access: Access, tenant: Tenant, hanako: Somebody
) -> None:
    outside = hanako.log_in(address=ELSEWHERE)
    assert (outside.status_code, outside.json()["why"]) == (403, ["log-in-outside-zones"])
    entry = access.audit.entry(action="login.refused", reader=str(hanako.id))
    assert (entry["detail"]["why"], entry["detail"]["address"]) == (["log-in-outside-zones"], ELSEWHERE)
    tokens = hanako.session()
    moved = refresh(access, tokens["refresh_token"], address=ELSEWHERE)
    assert (moved.status_code, moved.json()["why"]) == (403, ["log-in-outside-zones"])
    assert refresh(access, tokens["refresh_token"]).status_code == 200  # the session is still good
    person = tenant.create("agent").json()["id"]
    token = invite(tenant, person, "nana").json()["token"]
    assert accept(tenant, token, address=ELSEWHERE).status_code == 403
    secret = accept(tenant, token).json()["secret"]
    assert confirm(tenant, token, app_code(secret), address=ELSEWHERE).status_code == 403
    admin = somebody(tenant, "admin")
    assert admin.log_in(address=ELSEWHERE).status_code == 201  # who makes the zones


def test_a_session_goes_on_and_ends(access: Access, hanako: Somebody) -> None:
    tokens = hanako.session()
    again = refresh(access, tokens["refresh_token"])
    assert again.status_code == 200, again.text
    newer = again.json()
    assert newer["session_id"] == tokens["session_id"]
    assert newer["expires_at"] == tokens["expires_at"]
    assert newer["refresh_token"] != tokens["refresh_token"]
    assert [status(access, each["access_token"]) for each in (tokens, newer)] == [200, 200]
    issued = access.audit.entry(action="token.issued", reader=str(hanako.id))
    assert issued["detail"]["session"] == tokens["session_id"]
    with access.client(newer["access_token"]) as client:
        assert client.delete("/v1/sessions/current").status_code == 204
        assert client.delete("/v1/sessions/current").status_code == 401
    assert [status(access, each["access_token"]) for each in (tokens, newer)] == [401, 401]
    assert refresh(access, newer["refresh_token"]).status_code == 401
    ended = access.audit.entry(action="session.ended", reader=str(hanako.id))
    assert (ended["detail"]["session"], ended["detail"]["why"]) == (tokens["session_id"], "logged-out")


@pytest.mark.parametrize(
    ("column", "why"), [("expires_at", "expired"), ("used_at", "idle")], ids=["absolute", "idle"]
)
def test_a_session_is_over_after_its_time(access: Access, hanako: Somebody, column: str, why: str) -> None:
    tokens = hanako.session()
    access.query(
        f"UPDATE sessions SET {column} = {column} - interval '13 hours'"  # noqa: S608 - our own names
        " WHERE principal_id = :id",
        id=hanako.id,
    )
    assert refresh(access, tokens["refresh_token"]).status_code == 401
    assert status(access, tokens["access_token"]) == 401
    assert access.audit.entry(action="session.ended", reader=str(hanako.id))["detail"]["why"] == why


def test_a_token_lives_no_longer_than_its_session(access: Access, hanako: Somebody) -> None:
    tokens = hanako.session()
    access.query(
        "UPDATE sessions SET expires_at = now() + interval '20 s' WHERE principal_id = :id", id=hanako.id
    )
    assert refresh(access, tokens["refresh_token"]).json()["expires_in"] <= 20


def test_a_client_has_no_session(access: Access, tenant: Tenant) -> None:
    person = tenant.person("supervisor")
    with access.client(person.token) as client:
        assert client.delete("/v1/sessions/current").json()["type"] == "urn:otokura:problem:session-over"
        change = {"password": PASSWORD, "new_password": "quite another long sentence"}
        assert client.put("/v1/password", json=change).status_code == 409
    assert status(access, person.token) == 200


@pytest.mark.guarantee("P6")
def test_a_person_changes_their_password_and_ends_their_other_sessions(
    access: Access, hanako: Somebody
) -> None:
    here, there = hanako.session(), hanako.session()
    new = "quite another long sentence"
    with access.client(here["access_token"]) as client:
        assert client.put("/v1/password", json={"password": PASSWORD, "new_password": "x"}).status_code == 422
        wrong = client.put("/v1/password", json={"new_password": new} | WRONG)
        assert (wrong.status_code, wrong.json()["type"]) == (401, "urn:otokura:problem:login-refused")
        assert client.put("/v1/password", json={"password": PASSWORD, "new_password": new}).status_code == 204
    assert [status(access, each["access_token"]) for each in (here, there)] == [200, 401]
    assert refresh(access, there["refresh_token"]).status_code == 401
    assert refresh(access, here["refresh_token"]).status_code == 200
    assert hanako.log_in().status_code == 401
    assert hanako.log_in(password=new).status_code == 201
    entry = access.audit.entry(action="password.changed", reader=str(hanako.id))
    assert entry["detail"]["ended"] == [there["session_id"]]


def test_an_administrator_sees_and_ends_the_sessions_of_a_person(
    access: Access, tenant: Tenant, hanako: Somebody
) -> None:
    sessions = [hanako.session() for _ in range(2)]
    where = f"/v1/principals/{hanako.id}/sessions"
    with access.client(tenant.admin) as client:
        items = client.get(where).json()["items"]
        assert [item["id"] for item in items] == [each["session_id"] for each in reversed(sessions)]
        assert {(item["network"], item["second_factor"]) for item in items} == {(f"{OFFICE}/32", True)}
        assert client.delete(where).status_code == 204
        assert client.get(where).json()["items"] == []
        assert client.get(f"/v1/principals/{uuid4()}/sessions").status_code == 404
    assert [status(access, each["access_token"]) for each in sessions] == [401, 401]
    assert [refresh(access, each["refresh_token"]).status_code for each in sessions] == [401, 401]
    assert hanako.log_in().status_code == 201
    with access.client(access.tenant().admin) as client:
        assert client.delete(where).status_code == 404
    entry = access.audit.entry(action="session.ended", tenant_id=str(tenant.id))
    assert sorted(entry["detail"]["sessions"]) == sorted(each["session_id"] for each in sessions)
