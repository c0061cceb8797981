"""What issuers publish: their metadata (OpenID Connect Discovery 1.0) and their keys (RFC 7517). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from otokura.access.oidc.errors import FetchError

Keys = Mapping[tuple[str, str], jwt.PyJWK]
"""Keys by `kid` and algorithm: each is bound to the one algorithm for which it was found."""

LOOPBACK = "127.0.0.1"
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*)"
    r"(:(?P<port>[1-9][0-9]{1,4}))?(/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)*(?P<query>\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?"
)
"""RFC 3986 without names, passwords and fragments; names as DNS has them."""
_LONGEST_HOST = 253
_WELL_KNOWN = "/.well-known/openid-configuration"
_LONGEST_URL = 1024
_HTTPS, _FIRST_UNPRIVILEGED, _LAST_PORT = 443, 1024, 65535
_RSA_BITS = range(2048, 8192 + 1)
_MOST_KEYS = 100
_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_BY_CURVE = {
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("EC", "P-521"): ("ES512",),
    ("OKP", "Ed25519"): ("EdDSA",),
    ("OKP", "Ed448"): ("EdDSA",),
}


def check_url(text: str, *, development: bool, query: bool = False) -> None:
    """Refuses a URL at which no issuer can be (Discovery §2: https, no query, no fragment).

    Args:
        text: the URL.
        development: `http` is accepted too, on 127.0.0.1.
        query: the URL may have a query, as that of a JWKS may.

    Raises:
        FetchError: says why.
    """
    found = _URL.fullmatch(text) if len(text) <= _LONGEST_URL else None
    if found is None or len(found["host"]) > _LONGEST_HOST:
        raise FetchError("its URL is none, or has a name, a password or a fragment")
    local = development and found["host"] == LOOPBACK
    if found["scheme"] != "https" and not local:
        raise FetchError("its URL does not begin with https://")
    if found["query"] is not None and not query:
        raise FetchError("its URL has a query")
    port = int(found["port"] or _HTTPS)
    if port != _HTTPS and not _FIRST_UNPRIVILEGED <= port <= _LAST_PORT:
        raise FetchError("its port is neither 443 nor between 1024 and 65535")


def metadata_url(issuer: str) -> str:
    """Where an issuer's metadata is (Discovery §4.1)."""
    return issuer.removesuffix("/") + _WELL_KNOWN


def keys_url(issuer: str, metadata: Mapping[str, Any], *, development: bool) -> str:
    """Where the metadata says that the keys are.

    Raises:
        FetchError: the metadata are another issuer's (§4.3), or name no place that can be one.
    """
    if metadata.get("issuer") != issuer:
        raise FetchError("its metadata name another issuer")
    url = metadata.get("jwks_uri")
    if not isinstance(url, str):
        raise FetchError("its metadata name no jwks_uri")
    check_url(url, development=development, query=True)
    return url


def read_keys(jwks: Mapping[str, Any]) -> Keys:
    """The keys that verify signatures; those of other kinds and uses are passed over (RFC 7517 §5).

    Two keys of one name are no key: which of them was meant cannot be known.

    Raises:
        FetchError: it is no set of keys.
    """
    listed: object = jwks.get("keys")
    if not isinstance(listed, list) or len(cast("list[object]", listed)) > _MOST_KEYS:
        raise FetchError("its JWKS is no list of keys, or too long")
    found: dict[tuple[str, str], jwt.PyJWK] = {}
    twice: set[tuple[str, str]] = set()
    for jwk in cast("list[object]", listed):
        for key in _bound(jwk):
            name = (str(key.key_id), key.algorithm_name)
            twice |= {name} & found.keys()
            found[name] = key
    return MappingProxyType({name: key for name, key in found.items() if name not in twice})


def _bound(jwk: object) -> list[jwt.PyJWK]:
    """A key once for each algorithm that it may be used with."""
    if not isinstance(jwk, dict):
        return []
    members = cast("dict[str, Any]", jwk)
    if not isinstance(members.get("kid"), str) or "d" in members:  # d: the private half, known to all now
        return []
    operations = members.get("key_ops", ["verify"])
    if members.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        return []
    found = [_key(members, algorithm) for algorithm in _algorithms(members)]
    return [key for key in found if key is not None]


def _algorithms(jwk: Mapping[str, Any]) -> tuple[str, ...]:
    kind, curve, only = jwk.get("kty"), jwk.get("crv"), jwk.get("alg")
    if not isinstance(kind, str) or not isinstance(curve, str | None):
        return ()
    possible = _RSA if kind == "RSA" else _BY_CURVE.get((kind, curve or ""), ())
    return tuple(one for one in possible if only is None or one == only)


def _key(jwk: dict[str, Any], algorithm: str) -> jwt.PyJWK | None:
    try:
        key = jwt.PyJWK(jwk, algorithm)
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    if isinstance(key.key, RSAPublicKey) and key.key.key_size not in _RSA_BITS:
        return None
    return key
