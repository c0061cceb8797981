"""Access tokens: JWTs (RFC 9068) signed with Ed25519, made by access and checked by every service alone."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from starlette.requests import HTTPConnection

from otokura.shared.errors import Unauthenticated
from otokura.shared.events import Role
from otokura.shared.ids import uuid7

ALGORITHM = "EdDSA"
"""RFC 8037. The key decides the algorithm, never the token's header (RFC 8725 §3.1)."""
TOKEN_TYPE = "at+jwt"  # noqa: S105 - the `typ` of RFC 9068 §2.1
MAX_LIFETIME = timedelta(hours=24)
"""No token lives longer, so a revocation may be forgotten after it."""
LEEWAY = timedelta(seconds=5)
"""How far the clocks of two hosts may differ."""
MAX_TOKEN_BYTES = 8192
_CACHED_TOKENS = 2048
_REQUIRED = ["exp", "iat", "aud", "iss", "sub", "jti"]

Kind = Literal["client", "person"]
KeyLookup = Callable[[str], Awaitable[Ed25519PublicKey | None]]
"""The public key of a `kid`; None when there is none."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks.

    Attributes:
        subject: id of the person or client.
        tenant_id: None only for an operator, who belongs to no tenant.
        roles: what the principal may be.
        kind: a `person`, or a `client` (a program).
        jti: id of the token. That of a session's begins with the session's id and a dot: revoking the session
            by its id revokes all of them.
        issued_at: when the token was made, to the second.
        agent_ids: ids by which the phone system knows this person as an agent.
        team: whose calls a supervisor may read.
        good_until: when the token is taken no more, with the leeway for clocks; None for an API key.
    """

    subject: UUID
    tenant_id: UUID | None
    roles: frozenset[Role]
    kind: Kind
    jti: str = field(default_factory=lambda: str(uuid7()))
    issued_at: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))
    agent_ids: frozenset[str] = frozenset()
    team: str | None = None
    good_until: datetime | None = None

    @property
    def session_id(self) -> UUID | None:
        """The session that the token was got in; None for a client's, which has none."""
        session, dot, _ = self.jti.partition(".")
        return UUID(session) if dot else None

    def __post_init__(self) -> None:
        if self.tenant_id is None and self.roles - {Role.OPERATOR}:
            raise ValueError("only an operator belongs to no tenant")


def new_jti(session_id: UUID) -> str:
    """The id of a new token of a session."""
    return f"{session_id}.{uuid7()}"


IsRevoked = Callable[[Principal], Awaitable[bool]]


class TokenIssuer:
    """Makes tokens.

    Args:
        private_key: signs them.
        kid: name of the key in the JWKS.
        issuer: `iss`.
        audience: `aud`.
    """

    def __init__(self, private_key: Ed25519PrivateKey, kid: str, issuer: str, audience: str) -> None:
        self._key = private_key
        self._kid = kid
        self._issuer = issuer
        self._audience = audience

    def issue(self, principal: Principal, lifetime: timedelta) -> str:
        """A token for the principal, good from `principal.issued_at` for `lifetime`.

        Raises:
            ValueError: the lifetime is not between zero and `MAX_LIFETIME`.
        """
        if not timedelta(0) < lifetime <= MAX_LIFETIME:
            raise ValueError(f"a token lives for up to {MAX_LIFETIME}, not {lifetime}")
        issued_at = int(principal.issued_at.timestamp())
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": str(principal.subject),
            "jti": principal.jti,
            "iat": issued_at,
            "exp": issued_at + int(lifetime.total_seconds()),
            "tenant": None if principal.tenant_id is None else str(principal.tenant_id),
            "roles": sorted(principal.roles),
            "kind": principal.kind,
            "agent_ids": sorted(principal.agent_ids),
            "team": principal.team,
        }
        return jwt.encode(claims, self._key, ALGORITHM, {"kid": self._kid, "typ": TOKEN_TYPE})


@dataclass(frozen=True, slots=True)
class _Verified:
    principal: Principal
    kid: str
    key: Ed25519PublicKey
    expires: float


class TokenVerifier:
    """Checks tokens.

    A token whose signature was checked is remembered (by its SHA-256), since the check is most of the
    cost; its time, its key and its revocation are looked at every time.

    Args:
        issuer: the `iss` that is accepted.
        audience: the `aud` that is accepted.
        key_lookup: finds the issuer's key by `kid`.
        is_revoked: asked for every token, after all other checks.
    """

    def __init__(self, issuer: str, audience: str, key_lookup: KeyLookup, is_revoked: IsRevoked) -> None:
        self._issuer = issuer
        self._audience = audience
        self._key_lookup = key_lookup
        self._is_revoked = is_revoked
        self._verified: OrderedDict[bytes, _Verified] = OrderedDict()

    async def verify(self, token: str, connection: HTTPConnection | None = None) -> Principal:
        """The principal that the token stands for, whatever connection it came by.

        Raises:
            Unauthenticated: the token is not good; the detail says why.
        """
        del connection
        if len(token) > MAX_TOKEN_BYTES:
            raise _invalid("The access token is too long.")
        digest = hashlib.sha256(token.encode()).digest()
        verified = self._verified.get(digest)
        kid = verified.kid if verified else _kid_of(token)
        key = await self._key_lookup(kid)
        if key is None:
            raise _invalid("The access token is signed with a key that is not known here.")
        if verified is None or verified.key != key:
            verified = self._remember(digest, self._check(token, kid, key))
        if time.time() >= verified.expires + LEEWAY.total_seconds():
            raise _expired()
        if await self._is_revoked(verified.principal):
            raise _invalid("The access token has been revoked.")
        return verified.principal

    def _check(self, token: str, kid: str, key: Ed25519PublicKey) -> _Verified:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY,
                options={"require": _REQUIRED, "strict_aud": True},
            )
        except jwt.ExpiredSignatureError as error:
            raise _expired() from error
        except jwt.InvalidTokenError as error:
            raise _invalid(_explain(error)) from error
        try:
            principal = _read(claims)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise _invalid("The claims of the access token are not those of an Otokura token.") from error
        return _Verified(principal, kid, key, float(claims["exp"]))

    def _remember(self, digest: bytes, verified: _Verified) -> _Verified:
        self._verified[digest] = verified
        if len(self._verified) > _CACHED_TOKENS:
            self._verified.popitem(last=False)
        return verified


def _kid_of(token: str) -> str:
    """The id of the key that signed, once the header is one of ours."""
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.InvalidTokenError, ValueError) as error:
        raise _invalid("The access token is not a signed JWT.") from error
    if header.get("alg") != ALGORITHM:
        raise _invalid(f"The access token must be signed with {ALGORITHM}.")
    if header.get("typ") != TOKEN_TYPE:
        raise _invalid(f"The token is not an access token: its type must be {TOKEN_TYPE}.")
    kid: object = header.get("kid")
    if not isinstance(kid, str):
        raise _invalid("The access token does not name the key that signed it.")
    return kid


def _read(claims: dict[str, Any]) -> Principal:
    """The claims as a principal; raises what Python raises when they are of another shape."""
    issued, expires = float(claims["iat"]), float(claims["exp"])
    if expires - issued > MAX_LIFETIME.total_seconds():
        raise ValueError("lives too long")
    kind, team, tenant = claims["kind"], claims["team"], claims["tenant"]
    if kind not in ("client", "person") or not (team is None or isinstance(team, str)):
        raise ValueError("kind or team")
    principal = Principal(
        subject=UUID(claims["sub"]),
        tenant_id=None if tenant is None else UUID(tenant),
        roles=frozenset(Role(role) for role in _strings(claims["roles"])),
        kind=kind,
        jti=claims["jti"],
        issued_at=datetime.fromtimestamp(issued, UTC),
        agent_ids=frozenset(_strings(claims["agent_ids"])),
        team=team,
        good_until=datetime.fromtimestamp(expires, UTC) + LEEWAY,
    )
    if principal.session_id is not None and principal.kind != "person":
        raise ValueError("only a person has a session")
    return principal


def _strings(value: object) -> list[str]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    items = cast("list[object]", value)
    if not all(isinstance(item, str) for item in items):
        raise TypeError("not strings")
    return cast("list[str]", items)


def _explain(error: jwt.InvalidTokenError) -> str:
    """Our own words: the library's may quote the token."""
    if isinstance(error, jwt.InvalidAudienceError):
        return "The access token is for another audience."
    if isinstance(error, jwt.InvalidIssuerError):
        return "The access token comes from another issuer."
    if isinstance(error, jwt.MissingRequiredClaimError):
        return f"The access token lacks the claim {error.claim}."
    if isinstance(error, jwt.ImmatureSignatureError):
        return "The access token is not valid yet; compare the clocks."
    if isinstance(error, jwt.InvalidSignatureError):
        return "The signature of the access token is wrong."
    return "The access token is malformed."


def _invalid(detail: str) -> Unauthenticated:
    """RFC 6750 §3.1."""
    return Unauthenticated(detail, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})


def _expired() -> Unauthenticated:
    return _invalid("The access token has expired; get a new one at /oauth2/token.")
