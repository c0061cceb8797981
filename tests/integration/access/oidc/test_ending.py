"""Tokens end: with their issuer, its configuration, their principal, or by time; at once, everywhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import jwt
import pytest

from access_live import events, live_call
from access_service import Access, Tenant, once
from issuer_server import Issuer
from oidc_people import GROUPS, Trust, becomes, later, second_instance, trust
from otokura.access.oidc.tokens import LEEWAY

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]


def told(access: Access) -> list[dict[str, Any]]:
    """What other services are told of tokens that end."""
    query = "SELECT data::json AS data FROM outbox WHERE type = 'otokura.token.revoked.v1' ORDER BY id"
    return [row.data for row in access.query(query)]


@pytest.fixture(scope="module")
def second(access: Access) -> Iterator[httpx.Client]:
    with second_instance(access) as client:
        yield client


def disabled(trusted: Trust, principal_id: str) -> httpx.Response:
    with trusted.admin() as client:
        return client.delete(f"/v1/principals/{principal_id}")


def not_before(trusted: Trust, principal_id: str) -> httpx.Response:
    with trusted.admin() as client:
        return client.put(f"{trusted.path}/subjects/{principal_id}/not-before", json={})


def changed(trusted: Trust, principal_id: str) -> httpx.Response:
    del principal_id
    return trusted.change(groups=[rule for rule in GROUPS if rule["group"] != "supervisors"])


def removed(trusted: Trust, principal_id: str) -> httpx.Response:
    del principal_id
    with trusted.admin() as client:
        return client.delete(trusted.path)


ENDINGS: dict[str, Callable[[Trust, str], httpx.Response]] = {
    "disabled": disabled,
    "not before": not_before,
    "changed": changed,
    "removed": removed,
}


@pytest.mark.guarantee("P14")
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_token_ends_at_once_on_every_instance_and_so_does_a_reading_under_way(
    access: Access, trusted: Trust, second: httpx.Client, ending: str
) -> None:
    token = trusted.person("hanako")
    bearer = {"Authorization": f"Bearer {token}"}
    assert trusted.status(token) == 200
    assert becomes(lambda: second.get("/v1/calls", headers=bearer).status_code, 200)
    principal_id = trusted.subjects()["hanako"]["principal_id"]
    call = trusted.tenant.call(audio=bytes(32 * 1024 * 1024))
    with (
        access.client(token) as client,
        client.stream("GET", f"/v1/calls/{call.id}/audio", params={"purpose": "quality"}) as response,
    ):
        chunks = response.iter_raw(1024)
        received = len(next(chunks))
        assert ENDINGS[ending](trusted, principal_id).status_code in (200, 204)
        assert second.get("/v1/calls", headers=bearer).status_code == 401
        assert trusted.status(token) == 401
        time.sleep(0.5)
        with pytest.raises(httpx.RemoteProtocolError):
            received += sum(map(len, chunks))
    closed = access.audit.entry(action="read.closed", call_id=str(call.id))["detail"]
    assert (closed["outcome"], closed["bytes_sent"] < len(call.audio)) == ("revoked", True)
    assert principal_id in {event["subject"] for event in told(access)}


@pytest.mark.guarantee("R49")
def test_a_reading_under_way_ends_when_the_token_of_the_issuer_runs_out(
    access: Access, trusted: Trust
) -> None:
    """There is no session here that could be looked at instead."""
    live = live_call(access, trusted.tenant)
    live.say(1, (0, "もしもし", True))
    made = trusted.machine()
    over = int(time.time()) + 4
    exp = over - int(LEEWAY.total_seconds())
    analyst = trusted.forged(of=made, iat=exp - 60, exp=exp)
    with (
        access.client(analyst) as client,
        client.stream("GET", live.path, params={"purpose": "quality"}) as response,
    ):
        assert response.status_code == 200, response.read()
        entry_id = response.headers["Otokura-Entry-Id"]
        stream = events(response.iter_lines())
        assert next(stream)[0] == "partial"
        rest = [(name, data) for name, data, _ in stream]
    assert rest == [("ended", {"reason": "revoked"})]
    assert time.time() >= over
    assert access.audit.closed(entry_id)["detail"]["outcome"] == "revoked"


@pytest.mark.guarantee("P14")
def test_after_a_not_before_somebody_comes_with_a_newer_token(access: Access, trusted: Trust) -> None:
    old = trusted.person("hanako")
    assert trusted.status(old) == 200
    principal_id = trusted.subjects()["hanako"]["principal_id"]
    assert not_before(trusted, principal_id).status_code == 204
    time.sleep(1)
    assert trusted.status(later(trusted, "hanako", old)) == 200
    assert trusted.status(old) == 401
    with trusted.admin() as client:
        path = f"{trusted.path}/subjects/{principal_id}/not-before"
        assert client.put(path, json={"not_before": "2999-01-01T00:00:00Z"}).status_code == 422
        assert client.put(path, json={"not_before": "2020-01-01T00:00:00Z"}).status_code == 204
    assert trusted.status(old) == 401, "an earlier time brings nothing back"
    entries = access.audit.at_least(2, action="tokens.revoked", tenant_id=str(trusted.tenant.id))
    assert {entry["detail"]["issuer"]["subject"] for entry in entries} == {"hanako"}


@pytest.mark.guarantee("P14")
def test_who_was_disabled_does_not_come_back_with_a_new_token_or_a_new_configuration(
    access: Access, trusted: Trust
) -> None:
    token = trusted.person("hanako")
    assert trusted.status(token) == 200
    assert disabled(trusted, trusted.subjects()["hanako"]["principal_id"]).status_code == 204
    assert trusted.status(later(trusted, "hanako", token)) == 401
    assert removed(trusted, "").status_code == 204
    again = trust(access, trusted.tenant, trusted.issuer)
    assert again.status(again.person("hanako")) == 401
    assert again.subjects()["hanako"]["disabled_at"] is not None
    assert access.audit.entries(action="token.denied", tenant_id=str(trusted.tenant.id))


@pytest.mark.guarantee("P14")
def test_one_token_is_taken_back_by_whoever_has_it(access: Access, trusted: Trust) -> None:
    token = trusted.person("hanako")
    local = trusted.tenant.person("supervisor")
    theirs = trusted.forged(sub="hanako", jti=jti_of(local.token), groups=["supervisors"])
    with access.client(theirs) as client:
        assert client.post("/oauth2/revoke").status_code == 204
    assert trusted.status(theirs) == 401
    assert trusted.status(local.token) == 200, "its jti was borrowed"
    assert trusted.status(token) == 200


def test_the_last_administrators_do_not_shut_themselves_out(
    access: Access, tenant: Tenant, issuer: Issuer
) -> None:
    trusted = trust(access, tenant, issuer)
    boss = trusted.person("boss")
    assert trusted.status(boss, "/v1/principals") == 200
    with access.client(boss) as client:
        admins = [p for p in client.get("/v1/principals").json()["items"] if p["roles"] == ["admin"]]
        [local] = [p for p in admins if p["name"] != "社長"]
        assert client.delete(f"/v1/principals/{local['id']}").status_code == 204
        refused = client.delete(trusted.path)
        assert (refused.status_code, "administrators" in refused.json()["detail"]) == (409, True)
        other = client.post(
            "/v1/principals", json={"name": "Boss", "kind": "person", "roles": ["admin"]}, headers=once()
        ).json()
        assert client.delete(trusted.path).status_code == 204
    with access.client(access.token(other)) as client:
        refused = client.delete(f"/v1/principals/{other['id']}")
        assert refused.status_code == 409, "who came by the issuer administrates no more"


def jti_of(token: str) -> str:
    return str(jwt.decode(token, options={"verify_signature": False})["jti"])
