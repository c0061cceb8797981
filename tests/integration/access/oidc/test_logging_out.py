"""Somebody logs out at a real provider, which says so (OpenID Connect Back-Channel Logout 1.0)."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from access_service import Access, Tenant
from issuer_server import Issuer
from oidc_people import Trust, later, trust

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]
EVENTS: dict[str, Any] = {"http://schemas.openid.net/event/backchannel-logout": {}}


@pytest.fixture
def told(access: Access, tenant: Tenant, issuer: Issuer) -> Trust:
    """A tenant that trusts the provider, which tells access of log-outs."""
    issuer.logout = f"{access.url}/oidc/backchannel-logout"
    issuer.apply()
    return trust(access, tenant, issuer, clients=["console", "machine"])


def send(access: Access, token: str) -> httpx.Response:
    return httpx.post(f"{access.url}/oidc/backchannel-logout", data={"logout_token": token})


@pytest.mark.guarantee("P14")
def test_who_logs_out_at_the_provider_is_out_here(access: Access, told: Trust) -> None:
    token = told.person("hanako")
    assert told.status(token) == 200
    assert told.issuer.log_out("hanako") == 204
    assert told.status(token) == 401
    assert told.issuer.log_out("nobody") == 204
    entry = access.audit.entry(action="tokens.revoked", tenant_id=str(told.tenant.id))
    assert (entry["detail"]["subject"], entry["detail"]["why"]) == ("hanako", "logged-out")
    time.sleep(1)
    assert told.status(later(told, "hanako", token)) == 200


@pytest.mark.guarantee("P10")
def test_a_logout_token_that_is_not_good_ends_nothing(access: Access, told: Trust) -> None:
    token = told.person("hanako")
    assert told.status(token) == 200
    logout: dict[str, Any] = {"sub": "hanako", "events": EVENTS}
    for wrong in (
        token,
        "junk",
        "",
        told.forged(**logout),  # of the type of an access token
        told.forged(typ="JWT", **logout, nonce="n"),
        told.forged(typ="JWT", sub="hanako", events={}),
        told.forged(typ="JWT", sub="hanako", events="x"),
        told.forged(typ="JWT", **logout, aud="another"),
        told.forged(typ="JWT", **logout, exp=int(time.time()) - 60, iat=int(time.time()) - 120),
        told.forged(typ="logout+jwt", **logout, iss="https://id.example"),
    ):
        answer = send(access, wrong)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert told.status(token) == 200
    good = told.forged(typ="logout+jwt", **logout)
    assert send(access, good).status_code == 200
    assert told.status(token) == 401
    assert send(access, good).status_code == 200, "again is no error, and moves nothing"
