"""The keys that sign tokens: this replica's own, and the public ones of all replicas (JWKS, RFC 7517).

A rolling change of the key needs no pause: the new replica publishes both keys before it serves, and the
old one finds the new key in the database when it meets its first token. A retired key is published until
the last token that it may have signed has expired.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.identity import repository
from otokura.access.identity.models import SigningKey
from otokura.shared.database import Database
from otokura.shared.events import IssuerUpdated
from otokura.shared.outbox import publish
from otokura.shared.tokens import MAX_LIFETIME

_REFRESH_SECONDS = 0.5


def load_private_key(path: Path) -> Ed25519PrivateKey:
    """The Ed25519 key in a PKCS8 PEM file.

    Raises:
        ValueError: the file holds no such key.
    """
    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{path} holds no Ed25519 key")  # noqa: TRY004 - the file's content is wrong
    return key


def public_jwk(key: Ed25519PublicKey) -> dict[str, Any]:
    """The key as a JWK (RFC 8037 §2), named by its thumbprint (RFC 7638 §3)."""
    x = _base64url(key.public_bytes(Encoding.Raw, PublicFormat.Raw))
    members = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": x}, separators=(",", ":"), sort_keys=True)
    kid = _base64url(hashlib.sha256(members.encode()).digest())
    return {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid, "alg": "EdDSA", "use": "sig"}


def public_key(jwk: dict[str, Any]) -> Ed25519PublicKey:
    """The key of a JWK that `public_jwk` made."""
    x: str = jwk["x"]
    return Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(x + "=" * (-len(x) % 4)))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class SigningKeys:
    """The public keys by which tokens verify here, and their publication.

    Args:
        database: knows the keys of all replicas.
        private_key: signs this replica's tokens.
        issuer: published with the keys.
    """

    def __init__(self, database: Database, private_key: Ed25519PrivateKey, issuer: str) -> None:
        self._database = database
        self._issuer = issuer
        self._jwk = public_jwk(private_key.public_key())
        self._known: dict[str, Ed25519PublicKey] = {}
        self._refreshed = float("-inf")
        self._refreshing = asyncio.Lock()

    @property
    def kid(self) -> str:
        """The id of this replica's key."""
        return str(self._jwk["kid"])

    async def announce(self) -> None:
        """Makes this replica's key known to everybody, unless it is."""
        async with self._database.session() as session:
            keys = await repository.signing_keys(session, lock=True)
            newest = keys[-1].kid if keys else None
            if newest != self.kid:
                await self._add(session, keys)
        await self._refresh()

    async def _add(self, session: AsyncSession, keys: Sequence[SigningKey]) -> None:
        at = await repository.now(session)
        version = max((key.version for key in keys), default=0) + 1
        mine = next((key for key in keys if key.kid == self.kid), None)
        if mine is None:
            mine = SigningKey(kid=self.kid, jwk=self._jwk, version=version, added_at=at)
        mine.version, mine.retired_at = version, None
        session.add(mine)
        await session.flush()
        await repository.retire_signing_keys(session, self.kid)
        jwks = await self.jwks(session)
        await publish(session, IssuerUpdated(issuer=self._issuer, version=version, jwks=jwks))

    async def jwks(self, session: AsyncSession) -> dict[str, Any]:
        """The keys by which a token of today may have been signed."""
        now = await repository.now(session)
        keys = await repository.signing_keys(session)
        return {"keys": [key.jwk for key in keys if _in_use(key, now - MAX_LIFETIME - timedelta(minutes=5))]}

    async def lookup(self, kid: str) -> Ed25519PublicKey | None:
        """The key of an id; one that is new to us is looked up in the database.

        It may be that of a replica that has begun this moment. Whoever makes ids up waits for the next look,
        all of them for the same one: the database is asked twice a second at most.
        """
        asked = time.monotonic()
        if kid not in self._known:
            async with self._refreshing:
                if self._refreshed < asked:
                    await asyncio.sleep(self._refreshed + _REFRESH_SECONDS - time.monotonic())
                    await self._refresh()
        return self._known.get(kid)

    async def _refresh(self) -> None:
        self._refreshed = time.monotonic()
        async with self._database.session() as session:
            jwks = await self.jwks(session)
        self._known = {jwk["kid"]: public_key(jwk) for jwk in jwks["keys"]}


def _in_use(key: SigningKey, since: datetime) -> bool:
    return key.retired_at is None or key.retired_at > since
