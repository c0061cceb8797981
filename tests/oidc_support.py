"""An issuer in memory: its private keys are the test's, so that everything but one thing can be right."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

import core
from otokura.access.oidc.documents import Keys, read_keys
from otokura.access.oidc.errors import TokenRefusedError
from otokura.access.oidc.keys import IssuerKeys
from otokura.access.oidc.settings import OidcSettings
from otokura.access.oidc.trust import IssuerSettings, TrustedIssuer
from otokura.access.oidc.verifier import judge
from otokura.shared.ids import uuid7

URL = "https://id.example"
AUDIENCE = "otokura-calls"
PRIVATE: dict[str, Any] = {
    "rsa": rsa.generate_private_key(65537, 2048),
    "ec": ec.generate_private_key(ec.SECP256R1()),
    "ed": ed25519.Ed25519PrivateKey.generate(),
}
FORGER: dict[str, Any] = {
    "rsa": rsa.generate_private_key(65537, 2048),
    "ec": ec.generate_private_key(ec.SECP256R1()),
    "ed": ed25519.Ed25519PrivateKey.generate(),
}
ALGORITHM = {"rsa": "RS256", "ec": "ES256", "ed": "EdDSA"}


class Settings(OidcSettings):
    """Access's settings of issuers alone."""

    service = "test"


def settings(**changes: Any) -> Settings:
    values = {name.removeprefix("OTOKURA_").lower(): value for name, value in core.ENVIRONMENT.items()}
    return Settings(**{**values, **changes})


def public_jwk(key: Any, kid: str, **more: Any) -> dict[str, Any]:
    """The public half, as issuers publish it."""
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        jwk = RSAAlgorithm.to_jwk(public, as_dict=True)
    elif isinstance(public, ec.EllipticCurvePublicKey):
        jwk = ECAlgorithm.to_jwk(public, as_dict=True)
    else:
        jwk = OKPAlgorithm.to_jwk(public, as_dict=True)
    jwk.pop("key_ops", None)
    return {**jwk, "kid": kid, "use": "sig", **more}


def jwks(**keys: Any) -> dict[str, Any]:
    return {"keys": [public_jwk(key, kid) for kid, key in keys.items()]}


def claims(**changes: Any) -> dict[str, Any]:
    """Claims that are good; "absent" takes one away."""
    now = int(time.time())
    values: dict[str, Any] = {
        "iss": URL,
        "aud": AUDIENCE,
        "sub": "hanako",
        "iat": now,
        "nbf": now,
        "exp": now + 300,
        "groups": ["supervisors"],
    }
    return {name: value for name, value in {**values, **changes}.items() if value != "absent"}


def segment(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def assembled(header: dict[str, Any] | str, body: dict[str, Any] | str, signature: bytes = b"") -> str:
    """A token of parts that no library would put together."""
    parts = [part if isinstance(part, str) else json.dumps(part) for part in (header, body)]
    return ".".join([*(segment(part.encode()) for part in parts), segment(signature)])


def token(key: str = "rsa", header: dict[str, Any] | None = None, **changes: Any) -> str:
    """A token signed with one of the issuer's keys, whatever it says."""
    head = {"kid": key, "typ": "at+jwt", **(header or {}), "alg": ALGORITHM[key]}
    unsigned = assembled(head, claims(**changes)).rstrip(".")
    signature = jwt.get_algorithm_by_name(ALGORITHM[key]).sign(unsigned.encode(), PRIVATE[key])
    return f"{unsigned}.{segment(signature)}"


def trusting(tenant_id: UUID | None = None, *, subject_claim: str = "sub", **changes: Any) -> TrustedIssuer:
    """A tenant's configuration that accepts every one of the issuer's keys."""
    values: dict[str, Any] = {
        "audience": AUDIENCE,
        "algorithms": list(ALGORITHM.values()),
        "groups_claim": "groups",
        "groups": [{"group": "supervisors", "role": "supervisor", "team": "tokyo"}],
    }
    judged = IssuerSettings.model_validate({**values, **changes})
    return TrustedIssuer(uuid7(), tenant_id or uuid7(), URL, subject_claim, judged, 1)


class Published:
    """What the issuer publishes, and how often it was asked."""

    def __init__(self, document: dict[str, Any] | None = None) -> None:
        self.document = document if document is not None else jwks(**PRIVATE)
        self.fetches = 0

    async def keys(self, issuer: str) -> Keys:
        del issuer
        self.fetches += 1
        return read_keys(self.document)


async def judged(
    text: str, *trusted: TrustedIssuer, published: Published | None = None
) -> tuple[TrustedIssuer, Any]:
    """Whose the token is; by default of one tenant that trusts the issuer."""

    async def of(issuer: str) -> Sequence[TrustedIssuer]:
        return [one for one in trusted or (trusting(),) if one.issuer == issuer]

    keys = IssuerKeys((published or Published()).keys, settings())
    return await judge(text, of, keys)


async def why_refused(text: str, **options: Any) -> str:
    """Why the token stands for nobody."""
    trusted = options.pop("trusted", ())
    with pytest.raises(TokenRefusedError) as caught:
        await judged(text, *trusted, **options)
    return caught.value.why
