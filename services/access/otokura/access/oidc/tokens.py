"""Tokens of identity providers: JWTs (RFC 7519, RFC 9068, OpenID Connect Core §2), by RFC 8725.

What a token says of itself chooses a configuration and a key, and nothing else: which algorithms there are,
where keys come from and whom it is for stand in the configuration.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import jwt

from otokura.access.oidc.errors import TokenRefusedError
from otokura.access.oidc.strict_json import strict_object
from otokura.access.oidc.trust import IssuerSettings, TrustedIssuer
from otokura.shared.tokens import MAX_LIFETIME

MAX_BYTES = 16 * 1024
"""Groups make tokens long."""
LEEWAY = timedelta(seconds=10)
"""How far the issuer's clock and ours may differ."""
_LONGEST_KID = 255
_REQUIRED = ["iss", "aud", "exp", "iat", "sub"]
_ACCESS_TOKEN = "at+jwt"  # noqa: S105 - the `typ` of RFC 9068 §2.1
_UNNAMED = ("jwt", "")
_LOGOUT_TYPES = ("logout+jwt", *_UNNAMED)
_LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_UNWANTED = ("crit", "b64", "jwk", "jku", "x5u", "x5c")
"""Extensions that we do not know, and keys that a token brings along: no issuer needs either."""


@dataclass(frozen=True, slots=True)
class Presented:
    """What a token says before anything of it is believed."""

    kid: str
    algorithm: str
    type: str
    claims: Mapping[str, Any]


def issuer_named(token: str) -> str | None:
    """The `iss` that a token names, to choose who judges it; None when it cannot be read.

    Every request with a token comes by here; whether it is good is looked at later, by whoever judges.
    """
    if len(token) > MAX_BYTES or token.count(".") != 2:  # noqa: PLR2004 - header, claims, signature
        return None
    segment = token.split(".")[1]
    try:
        claims: object = json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    except (ValueError, RecursionError):
        return None
    issuer = cast("dict[str, object]", claims).get("iss") if isinstance(claims, dict) else None
    return issuer if isinstance(issuer, str) else None


def read(token: str) -> Presented:
    """The parts of a token.

    Raises:
        TokenRefusedError: it is no token that could be good.
    """
    if len(token) > MAX_BYTES:
        raise TokenRefusedError("size")
    try:
        head, body, _signature = token.split(".")
        header, claims = strict_object(_decoded(head)), strict_object(_decoded(body))
    except ValueError as error:
        raise TokenRefusedError("malformed") from error
    kid, algorithm, kind = header.get("kid"), header.get("alg"), header.get("typ", "")
    if any(name in header for name in _UNWANTED):
        raise TokenRefusedError("header")
    if not (isinstance(kid, str) and 0 < len(kid) <= _LONGEST_KID):
        raise TokenRefusedError("header")
    if not isinstance(algorithm, str) or not isinstance(kind, str):
        raise TokenRefusedError("header")
    return Presented(kid, algorithm, kind.lower().removeprefix("application/"), claims)


def check_header(presented: Presented, settings: IssuerSettings) -> None:
    """Refuses what the configuration does not accept, before a key is looked for.

    Raises:
        TokenRefusedError: another algorithm, or another type of token.
    """
    if presented.algorithm not in settings.algorithms:
        raise TokenRefusedError("algorithm")
    unnamed = presented.type in _UNNAMED and not settings.access_tokens_only
    if presented.type != _ACCESS_TOKEN and not unnamed:
        raise TokenRefusedError("type")


def verify(token: str, presented: Presented, trusted: TrustedIssuer, key: jwt.PyJWK) -> Mapping[str, Any]:
    """The claims of a token whose signature and times are good, and which was given for us.

    Args:
        token: as it came.
        presented: as `read` found it.
        trusted: the configuration that it is for.
        key: bound to its one algorithm.

    Raises:
        TokenRefusedError: it is not good.
    """
    claims = _signed(token, presented, trusted, key, [trusted.settings.audience])
    _check_parties(presented, claims, trusted.settings)
    return claims


def logged_out(
    token: str, presented: Presented, trusted: TrustedIssuer, key: jwt.PyJWK
) -> tuple[str, datetime]:
    """Who logged out at the issuer, and when (OpenID Connect Back-Channel Logout 1.0 §2.6).

    Raises:
        TokenRefusedError: it is no good logout token, or does not say whose tokens end.
    """
    audiences = [trusted.settings.audience, *trusted.settings.clients]
    claims = _signed(token, presented, trusted, key, audiences)
    events: object = claims.get("events")
    if presented.type not in _LOGOUT_TYPES or "nonce" in claims or not isinstance(events, dict):
        raise TokenRefusedError("type")
    if not isinstance(cast("dict[str, object]", events).get(_LOGOUT_EVENT), dict):
        raise TokenRefusedError("type")
    return str(claims["sub"]), issued_at(claims)


def _signed(
    token: str, presented: Presented, trusted: TrustedIssuer, key: jwt.PyJWK, audiences: list[str]
) -> Mapping[str, Any]:
    """The claims of a token whose signature and times are good, for one of the audiences."""
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=list(trusted.settings.algorithms),
            audience=audiences,
            issuer=trusted.issuer,
            leeway=LEEWAY,
            options={"require": _REQUIRED, "enforce_minimum_key_length": True},
        )
    except jwt.ExpiredSignatureError as error:
        raise TokenRefusedError("expired") from error
    except jwt.InvalidSignatureError as error:
        raise TokenRefusedError("signature") from error
    except jwt.PyJWTError as error:
        raise TokenRefusedError("claims") from error
    if claims != presented.claims:
        raise TokenRefusedError("malformed")
    _check_times(claims)
    return claims


def issued_at(claims: Mapping[str, Any]) -> datetime:
    """When a verified token was made, to the second."""
    return datetime.fromtimestamp(int(claims["iat"]), UTC)


def expires_at(claims: Mapping[str, Any]) -> datetime:
    """Until when a verified token is good."""
    return datetime.fromtimestamp(int(claims["exp"]), UTC)


def good_until(claims: Mapping[str, Any]) -> datetime:
    """The same, however far the issuer's clock differs from ours."""
    return expires_at(claims) + LEEWAY


def token_id(token: str) -> str:
    """A name for one token, which no other issuer can choose: of what its signature covers."""
    return f"oidc:{hashlib.sha256(token.rpartition('.')[0].encode()).hexdigest()}"


def _decoded(segment: str) -> bytes:
    """RFC 7515 §2, and nothing but that: no padding, no other alphabet, no spare bits."""
    try:
        data = base64.b64decode(segment + "=" * (-len(segment) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("no base64url") from error
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != segment:
        raise ValueError("no base64url")
    return data


def _check_times(claims: Mapping[str, Any]) -> None:
    """Numbers (RFC 7519 §2), though PyJWT reads strings and truths as some; and no token lives for long."""
    times = [claims["iat"], claims["exp"], claims.get("nbf", 0)]
    if not all(isinstance(one, int | float) and not isinstance(one, bool) for one in times):
        raise TokenRefusedError("claims")
    if not 0 < claims["exp"] - claims["iat"] <= MAX_LIFETIME.total_seconds():
        raise TokenRefusedError("lifetime")


def _check_parties(presented: Presented, claims: Mapping[str, Any], settings: IssuerSettings) -> None:
    """To whom the token was given (OpenID Connect Core §3.1.3.7, RFC 9068 §2.2)."""
    if "events" in claims:  # a logout token or another security event (RFC 8417), which stands for nobody
        raise TokenRefusedError("type")
    several = isinstance(claims["aud"], list) and len(cast("list[object]", claims["aud"])) > 1
    if several and presented.type != _ACCESS_TOKEN and "azp" not in claims:
        raise TokenRefusedError("party")
    accepted = settings.clients or [settings.audience]
    if "azp" in claims and claims["azp"] not in accepted:
        raise TokenRefusedError("party")
    if settings.clients and "client_id" in claims and claims["client_id"] not in accepted:
        raise TokenRefusedError("party")
