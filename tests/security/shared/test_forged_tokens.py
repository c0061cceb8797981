"""Tokens that somebody else made, or that were made for something else, open nothing."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from core import AUDIENCE, ISSUER, Issuer, principal
from otokura.shared.errors import Unauthenticated
from otokura.shared.ids import uuid7

HEADER = {"kid": "k1", "typ": "at+jwt"}


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    values: dict[str, Any] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(uuid7()),
        "jti": str(uuid7()),
        "iat": now,
        "exp": now + 300,
        "tenant": str(uuid7()),
        "roles": ["vendor"],
        "kind": "client",
        "agent_ids": [],
        "team": None,
    }
    return {name: value for name, value in {**values, **changes}.items() if value != "absent"}


def unsigned(header: dict[str, Any], body: dict[str, Any], signature: bytes = b"") -> str:
    parts = [json.dumps(header).encode(), json.dumps(body).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


async def refused(issuer: Issuer, token: str, words: str) -> None:
    with pytest.raises(Unauthenticated, match=words) as caught:
        await issuer.verifier.verify(token)
    assert 'error="invalid_token"' in caught.value.headers["WWW-Authenticate"]


async def test_these_claims_would_be_accepted(issuer: Issuer) -> None:
    """The refusals below are for the reason they name: nothing else is wrong."""
    token = jwt.encode(claims(), issuer.private_key, "EdDSA", HEADER)
    assert (await issuer.verifier.verify(token)).kind == "client"


@pytest.mark.guarantee("W1")
@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", ""])
async def test_no_signature_is_no_token(issuer: Issuer, algorithm: str) -> None:
    await refused(issuer, unsigned({**HEADER, "alg": algorithm}, claims()), "signed")


async def test_an_empty_signature_is_wrong(issuer: Issuer) -> None:
    await refused(issuer, unsigned({**HEADER, "alg": "EdDSA"}, claims()), "signature")


@pytest.mark.guarantee("W1")
async def test_the_public_key_is_no_hmac_secret(issuer: Issuer) -> None:
    """The attack of CVE-2015-9256: the verifier's public key, which all may know, taken as a secret."""
    public = issuer.private_key.public_key()
    raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    for secret in (raw, pem):
        header = base64.urlsafe_b64encode(json.dumps({**HEADER, "alg": "HS256"}).encode()).rstrip(b"=")
        body = base64.urlsafe_b64encode(json.dumps(claims()).encode()).rstrip(b"=")
        signature = jwt.get_algorithm_by_name("HS256").sign(header + b"." + body, secret)
        token = b".".join([header, body, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()
        await refused(issuer, token, "EdDSA")


async def test_other_algorithms_are_refused(issuer: Issuer) -> None:
    rsa_key = rsa.generate_private_key(65537, 2048)
    await refused(issuer, jwt.encode(claims(), rsa_key, "RS256", HEADER), "EdDSA")
    await refused(
        issuer, jwt.encode(claims(), ec.generate_private_key(ec.SECP256R1()), "ES256", HEADER), "EdDSA"
    )


@pytest.mark.guarantee("W1")
async def test_another_key_is_refused(issuer: Issuer) -> None:
    forger = Issuer()
    await refused(issuer, forger.issue(principal()), "signature")
    await refused(issuer, issuer.issue(principal(), kid="k2"), "not known")


@pytest.mark.parametrize(
    "header",
    [
        {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}},
        {"jku": "https://attacker.example/jwks.json"},
        {"x5u": "https://attacker.example/cert.pem"},
    ],
)
async def test_a_key_that_the_token_brings_is_not_used(issuer: Issuer, header: dict[str, Any]) -> None:
    token = jwt.encode(claims(), Issuer().private_key, "EdDSA", {**HEADER, **header})
    await refused(issuer, token, "signature")


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({"kid": "k1", "typ": "JWT"}, "not an access token"),
        ({"kid": "k1", "typ": None}, "not an access token"),
        ({"typ": "at+jwt"}, "does not name the key"),
        ({"kid": "../../k1", "typ": "at+jwt"}, "not known"),
        ({**HEADER, "crit": ["exp"], "exp": 1}, "malformed|signed JWT"),
    ],
)
async def test_another_header_is_refused(issuer: Issuer, header: dict[str, Any], words: str) -> None:
    await refused(issuer, jwt.encode(claims(), issuer.private_key, "EdDSA", header), words)


@pytest.mark.guarantee("W1")
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"aud": "another"}, "another audience"),
        ({"aud": [AUDIENCE, "another"]}, "another audience"),
        ({"iss": "https://attacker.example"}, "another issuer"),
        ({"iss": ISSUER + "/"}, "another issuer"),
        ({"exp": int(time.time()) - 60}, "expired"),
        ({"iat": int(time.time()) + 3600, "exp": int(time.time()) + 7200}, "not valid yet"),
        ({"nbf": int(time.time()) + 3600}, "not valid yet"),
        *(({name: "absent"}, f"lacks the claim {name}") for name in ("exp", "iat", "iss", "sub", "jti")),
        ({"aud": "absent"}, "lacks the claim aud|another audience"),
        *(({name: "absent"}, "claims") for name in ("tenant", "roles", "kind", "agent_ids", "team")),
        ({"sub": "root"}, "claims"),
        ({"sub": 1}, "malformed|claims"),
        ({"jti": 1}, "malformed|claims"),
        ({"tenant": None}, "claims"),
        ({"tenant": "x"}, "claims"),
        ({"roles": "vendor"}, "claims"),
        ({"roles": ["root"]}, "claims"),
        ({"roles": [1]}, "claims"),
        ({"kind": "god"}, "claims"),
        ({"agent_ids": "7001"}, "claims"),
        ({"team": 1}, "claims"),
        ({"exp": int(time.time()) + 10 * 86400}, "claims"),
        ({"exp": "tomorrow"}, "malformed"),
    ],
)
async def test_another_claim_is_refused(issuer: Issuer, change: dict[str, Any], words: str) -> None:
    await refused(issuer, jwt.encode(claims(**change), issuer.private_key, "EdDSA", HEADER), words)


@pytest.mark.guarantee("W1")
async def test_an_expired_token_is_refused(issuer: Issuer) -> None:
    then = datetime.now(UTC) - timedelta(minutes=10)
    await refused(issuer, issuer.issue(principal(issued_at=then), timedelta(minutes=5)), "expired")


@pytest.mark.guarantee("W1")
@pytest.mark.parametrize("names", [{"issuer": "https://attacker.example"}, {"audience": "another"}])
async def test_a_token_for_others_is_refused(issuer: Issuer, names: dict[str, str]) -> None:
    await refused(issuer, issuer.issue(principal(), names=names), "another")


async def test_a_token_with_one_letter_changed_is_refused(issuer: Issuer) -> None:
    token = issuer.issue(principal())
    for position in range(0, len(token) - 1, 7):
        other = "A" if token[position] != "A" else "B"
        changed = token[:position] + other + token[position + 1 :]
        with pytest.raises(Unauthenticated):
            await issuer.verifier.verify(changed)


async def test_a_token_of_any_length_is_refused_before_it_is_read(issuer: Issuer) -> None:
    await refused(issuer, "a" * 100_000, "too long")


KNOWN = Issuer()


@given(token=st.text() | st.from_regex(r"[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}"))
async def test_junk_is_refused_in_words_that_do_not_repeat_it(token: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        await KNOWN.verifier.verify(token)
    assert len(token) < 6 or token not in caught.value.detail
