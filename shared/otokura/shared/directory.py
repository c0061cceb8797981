"""What every service but access knows of tenants, clients, keys and revocations, so that it need not ask.

Calls are recorded while access is down: `handlers()` keep this read model from `otokura.tenants`, and
`Directory` answers from it, with what it read at most `MAX_AGE` seconds ago.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar, cast
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Select, select

from otokura.shared import api_keys
from otokura.shared.authentication import Authenticator
from otokura.shared.clients import ClientKey, ClientLimits
from otokura.shared.database import Database
from otokura.shared.directory_tables import clients, directory_metadata, issuer_keys, revocations, tenants
from otokura.shared.directory_updates import handlers, revoked_subject, revoked_token
from otokura.shared.events import Role, TenantSettings
from otokura.shared.settings import ServiceSettings
from otokura.shared.tokens import Principal, TokenVerifier

__all__ = ["Client", "Directory", "Tenant", "directory_metadata", "handlers"]

T = TypeVar("T")

MAX_AGE = 1.0
"""Seconds that an answer may be old: how long after its event a revocation takes at most."""
_MAX_ENTRIES = 10_000


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant as it was last told."""

    tenant_id: UUID
    name: str
    disabled: bool
    settings: TenantSettings


@dataclass(frozen=True, slots=True)
class Client:
    """A vendor's API client as it was last told."""

    client_id: UUID
    tenant_id: UUID
    name: str
    roles: frozenset[Role]
    api_keys: tuple[ClientKey, ...]
    limits: ClientLimits
    disabled: bool


class Directory:
    """Answers from this service's own database.

    Args:
        database: has the tables of `directory_metadata`.
        max_age: seconds that an answer is kept in memory; vendors ask on every request.
    """

    def __init__(self, database: Database, *, max_age: float = MAX_AGE) -> None:
        self._database = database
        self._max_age = max_age
        self._cache: dict[Hashable, tuple[float, Any]] = {}

    def authenticator(self, settings: ServiceSettings) -> Authenticator:
        """An authenticator for tokens of the settings' issuer and for API keys."""
        lookup = partial(self.issuer_key, settings.issuer)
        verifier = TokenVerifier(settings.issuer, settings.audience, lookup, self.is_revoked)
        return Authenticator(verifier, self)

    async def tenant(self, tenant_id: UUID) -> Tenant | None:
        """The tenant, disabled or not; None if it was never told of."""
        return await self._remember(("tenant", tenant_id), partial(self._load_tenant, tenant_id))

    async def is_active(self, tenant_id: UUID) -> bool:
        """Whether the tenant is known and not disabled."""
        tenant = await self.tenant(tenant_id)
        return tenant is not None and not tenant.disabled

    async def client(self, client_id: UUID) -> Client | None:
        """The client, disabled or not; None if it was never told of."""
        return await self._remember(("client", client_id), partial(self._load_client, client_id))

    async def client_by_api_key(self, key: str) -> Client | None:
        """The client whose key this is; None for a wrong or expired key, or a disabled client."""
        client_id = api_keys.parse(key)
        client = None if client_id is None else await self.client(client_id)
        if client is None or client.disabled:
            return None
        now = datetime.now(UTC)
        good = [known.sha256 for known in client.api_keys if known.is_good(now)]
        return client if any(api_keys.matches(key, sha256) for sha256 in good) else None

    async def principal_by_api_key(self, key: str) -> Principal | None:
        """The client as a principal."""
        client = await self.client_by_api_key(key)
        if client is None:
            return None
        return Principal(client.client_id, client.tenant_id, client.roles, "client")

    async def issuer_key(self, issuer: str, kid: str) -> Ed25519PublicKey | None:
        """The issuer's key of this id; None if there is none, or it is not Ed25519."""
        keys = await self._remember(("issuer", issuer), partial(self._load_issuer_keys, issuer))
        return keys.get(kid)

    async def is_revoked(self, principal: Principal) -> bool:
        """Whether the principal's token, its session, or all its tokens of that time, were revoked."""
        by_subject = revoked_subject(principal.subject)
        by_id = {revoked_token(principal.jti), revoked_token(str(principal.session_id or principal.jti))}
        key = ("revoked", by_subject, principal.jti)
        found = await self._remember(key, partial(self._load_revocations, by_subject, *by_id))
        is_old = by_subject in found and principal.issued_at < found[by_subject]
        return is_old or not by_id.isdisjoint(found)

    async def _remember(self, key: Hashable, load: Callable[[], Awaitable[T]]) -> T:
        now = time.monotonic()
        entry = self._cache.get(key)
        if entry is not None and now < entry[0]:
            return cast("T", entry[1])
        value = await load()
        if len(self._cache) >= _MAX_ENTRIES:
            self._cache.clear()
        # The age counts from before the query, so that it bounds how old the answer can be.
        self._cache[key] = (now + self._max_age, value)
        return value

    async def _rows(self, query: Select[Any]) -> list[Any]:
        async with self._database.session() as session:
            return list((await (await session.connection()).execute(query)).all())

    async def _load_tenant(self, tenant_id: UUID) -> Tenant | None:
        for row in await self._rows(select(tenants).where(tenants.c.tenant_id == tenant_id)):
            return Tenant(row.tenant_id, row.name, row.disabled, TenantSettings.model_validate(row.settings))
        return None

    async def _load_client(self, client_id: UUID) -> Client | None:
        for row in await self._rows(select(clients).where(clients.c.client_id == client_id)):
            return Client(
                client_id=row.client_id,
                tenant_id=row.tenant_id,
                name=row.name,
                roles=frozenset(Role(role) for role in row.roles),
                api_keys=_keys(row.api_keys, row.api_key_sha256),
                limits=ClientLimits.model_validate(row.limits or {}),
                disabled=row.disabled,
            )
        return None

    async def _load_issuer_keys(self, issuer: str) -> dict[str, Ed25519PublicKey]:
        for row in await self._rows(select(issuer_keys.c.jwks).where(issuer_keys.c.issuer == issuer)):
            return ed25519_keys(row.jwks)
        return {}

    async def _load_revocations(self, *revoked: str) -> dict[str, Any]:
        query = select(revocations).where(revocations.c.revoked.in_(revoked))
        return {row.revoked: row.at for row in await self._rows(query)}


def _keys(keys: list[dict[str, Any]] | None, only: str | None) -> tuple[ClientKey, ...]:
    """The keys of a row; one that was written before there could be several has the one, or none."""
    if keys is None:
        keys = [{"sha256": only}] if only else []
    return tuple(ClientKey.model_validate(key) for key in keys)


def ed25519_keys(jwks: dict[str, Any]) -> dict[str, Ed25519PublicKey]:
    """The Ed25519 keys of a JWKS (RFC 7517, RFC 8037) by `kid`; keys of other kinds are passed over."""
    found: dict[str, Ed25519PublicKey] = {}
    for jwk in cast("list[dict[str, Any]]", jwks.get("keys", [])):
        if jwk.get("kty") == "OKP" and jwk.get("crv") == "Ed25519" and isinstance(jwk.get("kid"), str):
            key = jwt.PyJWK(jwk, "EdDSA").key
            if isinstance(key, Ed25519PublicKey):
                found[jwk["kid"]] = key
    return found
