"""Tokens that an identity provider did not make, or made for something else, stand for nobody.

Among them is every attack of which an advisory of PyJWT tells (GHSA-752w-5fwx-jx9f, -xgmm-8j9v-c9wx,
-jq35-7prp-9v3f, -w7vc-732c-9m39, -hxm8-2xgr-2p9m, -ffqj-6fqr-9h24, -75c5-xw7c-p5pm; CVE-2017-11424), and
those of RFC 8725.
"""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from oidc_support import (
    ALGORITHM,
    AUDIENCE,
    FORGER,
    PRIVATE,
    URL,
    Published,
    assembled,
    claims,
    judged,
    jwks,
    public_jwk,
    segment,
    token,
    trusting,
    why_refused,
)
from otokura.access.oidc.errors import refused

NOW = int(time.time())
LATER = NOW + 6 * 3_600
"""Also when a test runs long after it was collected."""
HEADER = {"kid": "rsa", "typ": "at+jwt", "alg": "RS256"}


@pytest.mark.parametrize("key", PRIVATE)
async def test_these_tokens_would_be_accepted(key: str) -> None:
    """The refusals below are for the reason they name: nothing else is wrong."""
    trusted, found = await judged(token(key))
    assert (trusted.settings.audience, found["sub"]) == (AUDIENCE, "hanako")


def hmac_forgeries() -> dict[str, str]:
    """The public key in every form in which it could be taken for a secret."""
    public = PRIVATE["rsa"].public_key()
    jwk = public_jwk(PRIVATE["rsa"], "rsa")
    secrets = {
        "PEM": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "PKCS 1": public.public_bytes(Encoding.PEM, PublicFormat.PKCS1),
        "DER": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "SSH": public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
        "JWK": json.dumps(jwk).encode(),
        "modulus": jwk["n"].encode(),
        "nothing": b"",
    }
    found: dict[str, str] = {}
    for name, secret in secrets.items():
        for algorithm in ("HS256", "HS512"):
            unsigned = assembled({**HEADER, "alg": algorithm}, claims()).rstrip(".")
            digest = hmac.digest(secret, unsigned.encode(), f"sha{algorithm[2:]}")
            found[f"{name} {algorithm}"] = f"{unsigned}.{segment(digest)}"
            # Signed by HMAC, and called what the issuer signs with.
            unsigned = assembled(HEADER, claims()).rstrip(".")
            digest = hmac.digest(secret, unsigned.encode(), "sha256")
            found[f"{name} as RS256"] = f"{unsigned}.{segment(digest)}"
    return found


@pytest.mark.guarantee("P10")
@pytest.mark.parametrize("forgery", hmac_forgeries())
async def test_a_public_key_is_no_secret(forgery: str) -> None:
    assert await why_refused(hmac_forgeries()[forgery]) in ("algorithm", "signature", "claims")


@pytest.mark.guarantee("P10")
@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", ""])
async def test_no_signature_is_no_token(algorithm: str) -> None:
    assert await why_refused(assembled({**HEADER, "alg": algorithm}, claims())) == "algorithm"
    assert await why_refused(assembled(HEADER, claims())) in ("signature", "claims")


@pytest.mark.guarantee("P10")
@pytest.mark.parametrize("key", PRIVATE)
async def test_another_key_of_the_same_name_signs_nothing(key: str) -> None:
    forged = jwt.encode(claims(), FORGER[key], ALGORITHM[key], {"kid": key, "typ": "at+jwt"})
    assert await why_refused(forged) == "signature"


@pytest.mark.guarantee("P10")
@pytest.mark.parametrize("named", PRIVATE)
@pytest.mark.parametrize("signed", PRIVATE)
async def test_a_key_of_one_kind_is_not_taken_for_another(named: str, signed: str) -> None:
    """EC and RSA, confused by the `kid`, with the algorithm of either."""
    if named == signed:
        return
    for algorithm in (ALGORITHM[named], ALGORITHM[signed]):
        unsigned = assembled({"kid": named, "typ": "at+jwt", "alg": algorithm}, claims()).rstrip(".")
        signature = jwt.get_algorithm_by_name(ALGORITHM[signed]).sign(unsigned.encode(), PRIVATE[signed])
        assert await why_refused(f"{unsigned}.{segment(signature)}") in ("key", "signature", "claims")


@pytest.mark.guarantee("P10")
async def test_a_key_is_used_with_no_algorithm_but_its_own() -> None:
    """GHSA-jq35-7prp-9v3f: what is signed with PS256 is not RS256, whatever the header says."""
    published = Published({"keys": [public_jwk(PRIVATE["rsa"], "rsa", alg="RS256")]})
    trusted = [trusting(algorithms=["RS256", "PS256"])]
    signed = jwt.encode(claims(), PRIVATE["rsa"], "PS256", {"kid": "rsa", "typ": "at+jwt"})
    assert await why_refused(signed, published=published, trusted=trusted) == "key"
    unsigned = assembled(HEADER, claims()).rstrip(".")
    signature = jwt.get_algorithm_by_name("PS256").sign(unsigned.encode(), PRIVATE["rsa"])
    assert await why_refused(f"{unsigned}.{segment(signature)}", published=published) == "signature"
    assert await why_refused(token("ec"), trusted=[trusting(algorithms=["RS256"])]) == "algorithm"


@pytest.mark.guarantee("P10")
@pytest.mark.parametrize(
    ("header", "why"),
    [
        ({"jwk": public_jwk(FORGER["rsa"], "rsa")}, "header"),
        ({"jku": "https://attacker.example/jwks.json"}, "header"),
        ({"x5u": "https://attacker.example/cert.pem"}, "header"),
        ({"x5c": ["MIIB"]}, "header"),
        ({"crit": ["exp"], "exp": 1}, "header"),
        ({"crit": []}, "header"),
        ({"crit": ["b64"], "b64": True}, "header"),
        ({"kid": None}, "header"),
        ({"kid": ""}, "header"),
        ({"kid": 1}, "header"),
        ({"kid": ["rsa"]}, "header"),
        ({"kid": "k" * 1000}, "header"),
        ({"kid": "../../../etc/passwd"}, "key"),
        ({"kid": "' OR 1=1 --"}, "key"),
        ({"typ": "JWT"}, "type"),
        ({"typ": None}, "header"),
        ({"typ": "logout+jwt"}, "type"),
        ({"typ": "dpop+jwt"}, "type"),
        ({"typ": "at+jwt; x"}, "type"),
        ({"alg": ["RS256"]}, "header"),
        ({"alg": "rs256"}, "algorithm"),
    ],
)
async def test_another_header_is_refused(header: dict[str, Any], why: str) -> None:
    """Signed for good by the issuer's own key: the header alone is what is wrong."""
    unsigned = assembled({**HEADER, **header}, claims()).rstrip(".")
    signature = jwt.get_algorithm_by_name("RS256").sign(unsigned.encode(), PRIVATE["rsa"])
    assert await why_refused(f"{unsigned}.{segment(signature)}") == why


async def test_a_key_that_a_token_brings_signs_nothing() -> None:
    header = {"kid": "rsa", "typ": "at+jwt", "jwk": public_jwk(FORGER["rsa"], "rsa")}
    assert await why_refused(jwt.encode(claims(), FORGER["rsa"], "RS256", header)) == "header"


@pytest.mark.guarantee("P10")
@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"iss": URL + "/"}, "audience"),
        ({"iss": URL[:-1]}, "audience"),
        ({"iss": [URL]}, "issuer"),
        ({"iss": "absent"}, "issuer"),
        ({"aud": "another"}, "audience"),
        ({"aud": AUDIENCE[:-1]}, "audience"),
        ({"aud": "absent"}, "audience"),
        ({"aud": []}, "audience"),
        ({"aud": {AUDIENCE: 1}}, "audience"),
        ({"aud": [AUDIENCE, 1]}, "claims"),
        ({"exp": NOW - 60}, "expired"),
        ({"exp": "absent"}, "claims"),
        ({"exp": "tomorrow"}, "claims"),
        ({"exp": str(LATER)}, "claims"),
        ({"exp": True}, "expired"),
        ({"exp": NOW + 10 * 86_400}, "lifetime"),
        ({"exp": 1e308}, "lifetime"),
        ({"iat": "absent"}, "claims"),
        ({"iat": LATER, "exp": LATER + 3_600}, "claims"),
        ({"iat": True}, "claims"),
        ({"iat": str(NOW)}, "claims"),
        ({"iat": None}, "claims"),
        ({"nbf": LATER}, "claims"),
        ({"nbf": str(NOW)}, "claims"),
        ({"sub": "absent"}, "claims"),
        ({"sub": 1}, "claims"),
        ({"sub": None}, "claims"),
        ({"azp": "another-client"}, "party"),
        ({"azp": None}, "party"),
        ({"azp": [AUDIENCE]}, "party"),
        ({"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}, "type"),
    ],
)
async def test_another_claim_is_refused(change: dict[str, Any], why: str) -> None:
    assert await why_refused(token(**change)) == why


async def test_who_got_the_token_is_asked_where_it_is_configured() -> None:
    trusted = [trusting(clients=["console"])]
    assert await why_refused(token(azp="other"), trusted=trusted) == "party"
    assert await why_refused(token(client_id="other"), trusted=trusted) == "party"
    assert await why_refused(token(azp="console", client_id="other"), trusted=trusted) == "party"
    await judged(token(azp="console", client_id="console"), *trusted)
    await judged(token(client_id="whoever"))


@pytest.mark.guarantee("P10")
async def test_an_id_token_is_accepted_only_where_that_is_configured() -> None:
    for header in ({"typ": "JWT"}, {"typ": ""}):
        assert await why_refused(token(header=header)) == "type"
        await judged(token(header=header), trusting(access_tokens_only=False))
    both = token(header={"typ": "JWT"}, aud=[AUDIENCE, "another"])
    assert await why_refused(both, trusted=[trusting(access_tokens_only=False)]) == "party"
    await judged(
        token(header={"typ": "JWT"}, aud=[AUDIENCE, "another"], azp=AUDIENCE),
        trusting(access_tokens_only=False),
    )


@pytest.mark.guarantee("P12")
async def test_a_token_that_is_good_for_two_tenants_is_nobody_s() -> None:
    one, other = trusting(), trusting(audience="other-calls")
    assert (await judged(token(), one, other))[0] == one
    assert await why_refused(token(aud=[AUDIENCE, "other-calls"]), trusted=[one, other]) == "ambiguous"
    here = trusting(required={"claim": "hd", "value": "here.example"})
    there = trusting(required={"claim": "hd", "value": "there.example"})
    assert (await judged(token(hd="there.example"), here, there))[0] == there
    for nowhere in ("else.example", ["here.example", "there.example"], None):
        assert await why_refused(token(hd=nowhere), trusted=[here, there]) == "audience"


@pytest.mark.guarantee("P10")
async def test_keys_that_were_never_for_this_verify_nothing() -> None:
    odd: dict[str, Callable[[], dict[str, Any]]] = {
        "for encryption": lambda: public_jwk(PRIVATE["rsa"], "rsa", use="enc"),
        "for signing only": lambda: public_jwk(PRIVATE["rsa"], "rsa", key_ops=["sign"]),
        "symmetric": lambda: {"kty": "oct", "k": segment(b"x" * 32), "kid": "rsa", "alg": "HS256"},
        "private half": lambda: public_jwk(PRIVATE["rsa"], "rsa", d="AQAB"),
        "no name": lambda: {**public_jwk(PRIVATE["rsa"], "rsa"), "kid": None},
        "another algorithm": lambda: public_jwk(PRIVATE["rsa"], "rsa", alg="RSA-OAEP"),
        "no key": lambda: {"kty": "RSA", "kid": "rsa"},
    }
    for name, jwk in odd.items():
        assert (name, await why_refused(token(), published=Published({"keys": [jwk()]}))) == (name, "key")
    both = {"keys": [public_jwk(PRIVATE["rsa"], "rsa"), public_jwk(FORGER["rsa"], "rsa")]}
    assert await why_refused(token(), published=Published(both)) == "key"
    assert await why_refused(token(), published=Published(jwks(other=PRIVATE["rsa"]))) == "key"


async def test_every_refusal_is_told_in_the_same_words() -> None:
    one, other = refused(), refused()
    assert (one.detail, one.status, one.headers) == (other.detail, 401, other.headers)
    assert 'error="invalid_token"' in one.headers["WWW-Authenticate"]
