"""Tokens that must open nothing, and addresses that must not be believed."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from access_service import ELSEWHERE, OFFICE, PROXY, Access, Person, Tenant

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]
Claims = dict[str, Any]
QUALITY = {"purpose": "quality"}


@pytest.fixture
def supervisor(tenant: Tenant) -> Person:
    return tenant.person("supervisor")


def signing_key(access: Access) -> Ed25519PrivateKey:
    """The service's own key: what is refused below is refused for its claims alone."""
    key = load_pem_private_key(access.token_key_file.read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    return key


def claims_of(token: str) -> tuple[Claims, Claims]:
    return jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})


def encode(header: Claims, claims: Claims, signature: bytes = b"") -> str:
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def hmac_signed(header: Claims, claims: Claims, key: Ed25519PrivateKey) -> str:
    """What a verifier that lets the header choose the algorithm would take for good."""
    unsigned = encode(header, claims).removesuffix(".")
    secret = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return encode(header, claims, hmac.digest(secret, unsigned.encode(), "sha256"))


def statuses(access: Access, tenant: Tenant, token: str) -> set[int]:
    """What every route answers to a token."""
    call = tenant.call()
    with access.client(token) as client:
        answers = [
            client.get(f"/v1/calls/{call.id}/audio", params=QUALITY),
            client.get(f"/v1/calls/{call.id}/transcript", params=QUALITY),
            client.get(f"/v1/calls/{call.id}"),
            *(client.get(path) for path in ("/v1/calls", "/v1/settings", "/v1/zones", "/v1/principals")),
            client.get("/v1/tenants"),
            client.post("/oauth2/revoke"),
        ]
    assert not any(answer.content.count(call.audio[:16]) for answer in answers)
    assert not access.audit.entries(call_id=str(call.id))
    return {answer.status_code for answer in answers}


FORGERIES: dict[str, Callable[[Claims, Claims, Ed25519PrivateKey], str]] = {
    "unsigned": lambda h, c, _: encode({**h, "alg": "none"}, c),
    "unsigned but for its header": lambda h, c, _: encode(h, c),
    "another key": lambda h, c, _: jwt.encode(c, Ed25519PrivateKey.generate(), "EdDSA", h),
    "another issuer's key": lambda h, c, _: jwt.encode(
        c, Ed25519PrivateKey.generate(), "EdDSA", {**h, "kid": "theirs"}
    ),
    "no key id": lambda h, c, key: jwt.encode(c, key, "EdDSA", {"typ": h["typ"]}),
    "the public key as an HMAC secret": lambda h, c, key: hmac_signed({**h, "alg": "HS256"}, c, key),
    "expired": lambda h, c, key: jwt.encode({**c, "exp": int(time.time()) - 60}, key, "EdDSA", h),
    "not for us": lambda h, c, key: jwt.encode({**c, "aud": "other"}, key, "EdDSA", h),
    "for us among others": lambda h, c, key: jwt.encode({**c, "aud": ["otokura", "x"]}, key, "EdDSA", h),
    "from another issuer": lambda h, c, key: jwt.encode({**c, "iss": "https://evil"}, key, "EdDSA", h),
    "for ever": lambda h, c, key: jwt.encode({k: v for k, v in c.items() if k != "exp"}, key, "EdDSA", h),
    "for a year": lambda h, c, key: jwt.encode({**c, "exp": c["exp"] + 31_536_000}, key, "EdDSA", h),
    "of nobody": lambda h, c, key: jwt.encode({**c, "sub": str(uuid4())}, key, "EdDSA", h),
    "of another tenant": lambda h, c, key: jwt.encode({**c, "tenant": str(uuid4())}, key, "EdDSA", h),
    "another kind of token": lambda h, c, key: jwt.encode(c, key, "EdDSA", {**h, "typ": "JWT"}),
    "no token": lambda *_: "not-a-token",
}


@pytest.mark.guarantee("W1")
@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_token_that_is_not_good_opens_nothing(
    access: Access, tenant: Tenant, supervisor: Person, forgery: str
) -> None:
    header, claims = claims_of(supervisor.token)
    token = FORGERIES[forgery](header, claims, signing_key(access))
    assert statuses(access, tenant, token) == {401}
    assert token not in access.log_text()


@pytest.mark.guarantee("W1")
def test_roles_in_a_token_are_not_believed(access: Access, tenant: Tenant) -> None:
    """Even with the signing key: what somebody may do stands in the database."""
    agent = tenant.person("agent", agent_ids=["a-1"])
    header, claims = claims_of(agent.token)
    greedy = {**claims, "roles": ["supervisor", "admin"], "agent_ids": ["2041"], "jti": str(uuid4())}
    token = jwt.encode(greedy, signing_key(access), "EdDSA", header)
    call = tenant.call()
    with access.client(token) as client:
        assert client.get(f"/v1/calls/{call.id}/audio", params=QUALITY).status_code == 404
        assert client.get("/v1/settings").status_code == 403


def test_without_a_token_nothing_is_open_and_nothing_is_written_down(access: Access, tenant: Tenant) -> None:
    call = tenant.call()
    with access.client() as client:
        for path in (f"/v1/calls/{call.id}/audio", "/v1/calls", "/v1/settings"):
            response = client.get(path, params=QUALITY)
            assert response.status_code == 401
            assert response.headers["WWW-Authenticate"].startswith("Bearer")
        key = {"X-API-Key": tenant.create("vendor", kind="client").json()["api_key"]}
        assert client.get("/v1/calls", headers=key).status_code == 401
    assert not access.audit.entries(call_id=str(call.id))


def status_from(access: Access, token: str, *, peer: str = PROXY, forwarded: list[str]) -> int:
    """The answer to a search that comes from `peer` with these X-Forwarded-For headers."""
    with access.client(token, address=None, peer=peer) as client:
        headers = [*client.headers.items(), *(("X-Forwarded-For", value) for value in forwarded)]
        return client.get("/v1/calls", headers=httpx.Headers(headers)).status_code


@pytest.mark.guarantee("W2")
@pytest.mark.parametrize(
    "forwarded",
    [
        [f"{OFFICE}, {ELSEWHERE}"],
        [OFFICE, ELSEWHERE],
        [f"{OFFICE}, garbage"],
        [f"{OFFICE},"],
        [f"{OFFICE}, 127.0.0.1, unknown"],
        [f"{OFFICE}:443"],
        [f"[{OFFICE}]"],
        ["127.0.0.1, 127.0.0.1"],
        [""],
        [],
    ],
)
def test_a_forged_chain_of_proxies_lets_nobody_in(
    access: Access, supervisor: Person, forwarded: list[str]
) -> None:
    assert status_from(access, supervisor.token, forwarded=forwarded) == 403


@pytest.mark.guarantee("W2")
def test_only_a_configured_proxy_is_believed(access: Access, supervisor: Person) -> None:
    assert status_from(access, supervisor.token, forwarded=[OFFICE]) == 200
    assert status_from(access, supervisor.token, forwarded=[f"{ELSEWHERE}, {OFFICE}"]) == 200
    assert status_from(access, supervisor.token, peer="127.0.0.2", forwarded=[OFFICE]) == 403


@pytest.mark.guarantee("W2")
@pytest.mark.parametrize("address", [f"::ffff:{OFFICE}", "::ffff:cb00:7107"])
def test_an_ipv4_mapped_address_is_the_ipv4_address(access: Access, supervisor: Person, address: str) -> None:
    assert status_from(access, supervisor.token, forwarded=[address]) == 200
    assert status_from(access, supervisor.token, forwarded=[f"::ffff:{ELSEWHERE}"]) == 403
