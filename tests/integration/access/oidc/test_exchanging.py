"""A provider's token for one of Otokura's (RFC 8693)."""

from __future__ import annotations

import time
from typing import Any

import httpx
import jwt
import pytest

from access_service import ELSEWHERE, OFFICE, Access, Tenant
from issuer_server import Issuer
from oidc_people import Trust, audience, trust

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]
TYPE = "urn:ietf:params:oauth:token-type:"


def exchanged(access: Access, token: str, *, address: str = OFFICE, **changes: str) -> httpx.Response:
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": token,
        "subject_token_type": f"{TYPE}access_token",
        **changes,
    }
    with access.client(address=address) as client:
        return client.post("/oauth2/token", data={k: v for k, v in form.items() if v != "absent"})


@pytest.mark.guarantee("P15")
def test_a_token_is_exchanged_for_one_that_says_who_and_no_more(access: Access, trusted: Trust) -> None:
    answer = exchanged(access, trusted.person("taro"))
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    assert (body["token_type"], body["issued_token_type"]) == ("Bearer", f"{TYPE}access_token")
    assert answer.headers["Cache-Control"] == "no-store"
    claims = jwt.decode(body["access_token"], options={"verify_signature": False})
    known = trusted.subjects()["taro"]
    assert (claims["sub"], claims["tenant"]) == (known["principal_id"], str(trusted.tenant.id))
    assert (claims["roles"], claims["agent_ids"], claims["kind"]) == (["agent"], ["2041", "2099"], "person")
    assert claims["exp"] - claims["iat"] == body["expires_in"] <= 300
    assert trusted.status(body["access_token"]) == 200
    issued = access.audit.entry(action="token.issued", reader=known["principal_id"])["detail"]
    accepted = access.audit.entry(action="token.accepted", reader=known["principal_id"])["detail"]
    assert (issued["jti"], issued["exchanged"]) == (claims["jti"], accepted["jti"])


@pytest.mark.guarantee("P15")
def test_it_lives_no_longer_than_what_it_was_got_for(access: Access, trusted: Trust) -> None:
    short = trusted.forged(exp=int(time.time()) + 20)
    assert 0 < exchanged(access, short).json()["expires_in"] <= 20
    # Of a provider whose clock is ahead.
    now = int(time.time())
    ahead = exchanged(access, trusted.forged(iat=now + 5, exp=now + 20)).json()["access_token"]
    assert jwt.decode(ahead, options={"verify_signature": False})["exp"] <= now + 20
    over = trusted.forged(iat=int(time.time()) - 60, exp=int(time.time()) - 5)
    assert exchanged(access, over).status_code == 400, (
        "good for the clocks' difference, and not to be renewed"
    )


@pytest.mark.guarantee("P8")
def test_a_person_is_given_one_from_where_they_may_log_in(access: Access, trusted: Trust) -> None:
    """A program from everywhere, if both its token and its principal say that it is one."""
    outside = exchanged(access, trusted.person("taro"), address=ELSEWHERE)
    assert (outside.status_code, outside.json()["why"]) == (403, ["log-in-outside-zones"])
    taro = trusted.subjects()["taro"]["principal_id"]
    refused = access.audit.entry(action="login.refused", reader=taro)["detail"]
    assert (refused["why"], refused["address"]) == (["log-in-outside-zones"], ELSEWHERE)
    assert not access.audit.entries(action="token.issued", reader=taro)
    assert exchanged(access, trusted.person("boss"), address=ELSEWHERE).status_code == 200  # makes the zones
    program = exchanged(access, trusted.machine(), address=ELSEWHERE)
    assert program.status_code == 200, program.text
    who = jwt.decode(program.json()["access_token"], options={"verify_signature": False})["sub"]
    access.query("UPDATE principals SET kind = 'person' WHERE id = :id", id=who)
    assert exchanged(access, trusted.machine(), address=ELSEWHERE).status_code == 403


@pytest.mark.guarantee("P14")
def test_it_ends_with_its_issuer(access: Access, trusted: Trust) -> None:
    ours = exchanged(access, trusted.person("hanako")).json()["access_token"]
    assert trusted.status(ours) == 200
    with trusted.admin() as client:
        assert client.delete(trusted.path).status_code == 204
    assert trusted.status(ours) == 401


@pytest.mark.guarantee("P15")
def test_nothing_else_is_exchanged(access: Access, tenant: Tenant, issuer: Issuer) -> None:
    trusted = trust(access, tenant, issuer, provisioning=False, groups_claim=None, groups=[])
    local = tenant.person("supervisor")
    stranger = trusted.person("hanako")
    good = issuer.tokens("hanako", audience(tenant))["access_token"]
    for token in (local.token, stranger, good, "junk", trusted.forged(aud="other"), "x" * 50_000):
        answer = exchanged(access, token)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
        assert token not in answer.text
    for wrong in (
        {"subject_token": "absent"},
        {"subject_token_type": "absent"},
        {"subject_token_type": f"{TYPE}refresh_token"},
        {"requested_token_type": f"{TYPE}refresh_token"},
        {"actor_token": "x"},
    ):
        assert exchanged(access, good, **wrong).status_code == 400
