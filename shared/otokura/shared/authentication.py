"""Who asks: FastAPI dependencies that work for HTTP requests and WebSockets alike."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Protocol
from uuid import UUID

from fastapi import Depends
from starlette.requests import HTTPConnection

from otokura.shared.errors import Forbidden, Unauthenticated
from otokura.shared.events import Role
from otokura.shared.tokens import Principal


class Accounts(Protocol):
    """What the authenticator needs to know of tenants and clients; `Directory` is one."""

    async def principal_by_api_key(self, key: str) -> Principal | None:
        """The client whose key this is; None for a wrong key or a disabled client."""
        ...

    async def is_active(self, tenant_id: UUID) -> bool:
        """Whether the tenant exists and is not disabled."""
        ...


class Verifier(Protocol):
    """Judges access tokens; `TokenVerifier` is one."""

    async def verify(self, token: str, connection: HTTPConnection | None = None) -> Principal:
        """The principal that the token stands for, with the connection that it came by, if by one."""
        ...


class Authenticator:
    """Finds the principal of a connection from its one credential."""

    def __init__(self, verifier: Verifier, accounts: Accounts) -> None:
        self._verifier = verifier
        self._accounts = accounts

    async def authenticate(self, connection: HTTPConnection) -> Principal:
        """The principal, by `Authorization: Bearer <token>` or `X-API-Key: <key>`.

        Raises:
            Unauthenticated: no credential, more than one, a bad one, or one of a disabled tenant.
        """
        authorizations = connection.headers.getlist("authorization")
        api_keys = connection.headers.getlist("x-api-key")
        if len(authorizations) + len(api_keys) > 1:
            raise Unauthenticated("Send one credential: either Authorization or X-API-Key, once.")
        if authorizations:
            return await self.by_token(_bearer(authorizations[0]), connection)
        if api_keys:
            return await self._active(await self._by_api_key(api_keys[0]))
        raise Unauthenticated("Send Authorization: Bearer <access token>, or X-API-Key: <key>.")

    async def by_token(self, token: str, connection: HTTPConnection | None = None) -> Principal:
        """The principal of an access token, wherever in the connection it came.

        Raises:
            Unauthenticated: it is not valid, or its tenant is disabled.
        """
        return await self._active(await self._verifier.verify(token, connection))

    async def _by_api_key(self, key: str) -> Principal:
        principal = await self._accounts.principal_by_api_key(key)
        if principal is None:
            raise Unauthenticated("The API key is not valid.")
        return principal

    async def _active(self, principal: Principal) -> Principal:
        if principal.tenant_id is not None and not await self._accounts.is_active(principal.tenant_id):
            raise Unauthenticated("The tenant of this credential is not known here, or is disabled.")
        return principal


def _bearer(authorization: str) -> str:
    """The token of RFC 6750 §2.1; the scheme's case does not matter (RFC 9110 §11.1)."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip(" "):
        raise Unauthenticated("The Authorization header must read: Bearer <access token>.")
    return token.strip(" ")


async def authenticate(connection: HTTPConnection) -> Principal:
    """Dependency: the principal, found by the app's `state.authenticator`."""
    authenticator: Authenticator = connection.app.state.authenticator
    return await authenticator.authenticate(connection)


Authenticated = Annotated[Principal, Depends(authenticate)]
"""Anybody with a valid credential."""


def require(*roles: Role) -> Callable[[Principal], Awaitable[Principal]]:
    """A dependency: a principal that has one of the roles.

    `Vendor = Annotated[Principal, Depends(require(Role.VENDOR))]`
    """
    wanted = frozenset(roles)

    async def permitted(principal: Authenticated) -> Principal:
        if not principal.roles & wanted:
            names = " or ".join(sorted(wanted))
            raise Forbidden(f"This needs the role {names}.")
        return principal

    return permitted
