"""Every route answers a provider's token that is not good alike, and opens nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from access_service import Access
from issuer_server import Issuer, header_of
from oidc_fixtures import access, issuer, provider, tenant, trusted
from oidc_people import QUALITY, Trust
from oidc_support import assembled

__all__ = ["access", "issuer", "provider", "tenant", "trusted"]
pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]
FORGER = rsa.generate_private_key(65537, 2048)


def resigned(trusted: Trust, header: dict[str, Any]) -> str:
    """The claims of a good token, signed by somebody else."""
    good = trusted.person("hanako")
    claims = jwt.decode(good, options={"verify_signature": False})
    return jwt.encode(claims, FORGER, "RS256", {**header_of(good), **header, "alg": "RS256"})


FORGERIES: dict[str, Callable[[Trust], str]] = {
    "another key": lambda t: resigned(t, {}),
    "another key id": lambda t: resigned(t, {"kid": "theirs"}),
    "a key of its own": lambda t: resigned(t, {"jku": "https://attacker.example/jwks"}),
    "unsigned": lambda t: assembled(
        {**header_of(t.machine()), "alg": "none"},
        jwt.decode(t.machine(), options={"verify_signature": False}),
    ),
    "expired": lambda t: t.forged(iat=int(time.time()) - 900, exp=int(time.time()) - 60),
    "for ever": lambda t: t.forged(exp="absent"),
    "for a year": lambda t: t.forged(exp=int(time.time()) + 31_536_000),
    "for another": lambda t: t.forged(aud="other"),
    "given to another": lambda t: t.forged(azp="other"),
    "of nobody": lambda t: t.forged(sub="absent"),
    "a logout token": lambda t: t.forged(events={}),
    "another's issuer": lambda t: t.forged(iss=t.issuer.url + "/"),
    "cut": lambda t: t.person("hanako")[:-5],
    "long": lambda t: t.forged(x="x" * 20_000),
}


def answers(access: Access, trusted: Trust, token: str) -> list[Any]:
    call = trusted.tenant.call()
    with access.client(token) as client:
        found = [
            client.get(f"/v1/calls/{call.id}/audio", params=QUALITY),
            client.get(f"/v1/calls/{call.id}/transcript", params=QUALITY),
            client.get(f"/v1/calls/{call.id}/transcript/live", params=QUALITY),
            client.get(f"/v1/calls/{call.id}"),
            *(client.get(path) for path in ("/v1/calls", "/v1/settings", "/v1/zones", "/v1/principals")),
            *(client.get(path) for path in ("/v1/tenants", "/v1/oidc-issuers", "/v1/feeds")),
            client.post("/oauth2/revoke"),
        ]
    assert not access.audit.entries(call_id=str(call.id))
    return found


@pytest.mark.guarantee("P10")
@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_token_opens_nothing_and_learns_nothing(
    access: Access, trusted: Trust, forgery: str
) -> None:
    assert trusted.status(trusted.forged()) == 200
    token = FORGERIES[forgery](trusted)
    found = answers(access, trusted, token)
    assert {answer.status_code for answer in found} == {401}
    words = {(answer.json()["detail"], answer.headers["WWW-Authenticate"]) for answer in found}
    assert len(words) == 1
    assert token not in access.log_text()
    if forgery not in ("another's issuer", "long"):
        SAID.add(words.pop())
        assert len(SAID) == 1, "in the same words, whatever is wrong"


SAID: set[tuple[str, str]] = set()


@pytest.mark.guarantee("P13")
def test_roles_that_a_token_claims_for_itself_are_nothing(
    access: Access, trusted: Trust, issuer: Issuer
) -> None:
    issuer.people["taro"] |= {"roles": ["admin", "supervisor"], "tenant": str(access.tenant().id)}
    issuer.apply()
    token = trusted.person("taro")
    assert [trusted.status(token, path) for path in ("/v1/calls", "/v1/principals")] == [200, 403]
    assert trusted.subjects()["taro"]["roles"] == ["agent"]
