"""The operations of access that ask for no token, or for the one that they are about, with a good request.

What `access_matrix.py` is for all others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import httpx

from access_people import PASSWORD, accept, app_code, invite, somebody
from access_service import Access, Tenant, once, secrets_of
from access_sites import issuer_body, new_name
from published_issuer import logout_token


def nothing(_access: Access) -> AbstractContextManager[None]:
    """Everything is as it is."""
    return nullcontext()


@dataclass(frozen=True)
class PublicOperation:
    """A route that anybody may ask.

    Attributes:
        method: of HTTP.
        path: as it stands in the OpenAPI.
        good: what `httpx` is told beside path, so that the answer is a 2xx; made anew, since most is once.
        around: how the service has to stand for that.
    """

    method: str
    path: str
    good: Callable[[Tenant], dict[str, Any]] = lambda _tenant: {}
    around: Callable[[Access], AbstractContextManager[None]] = nothing

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def ask(self, tenant: Tenant) -> httpx.Response:
        """The good request, from the office."""
        with self.around(tenant.access), tenant.access.client() as client:
            return client.request(self.method, self.path, **self.good(tenant))


def bearer(token: str) -> dict[str, str]:
    """The header of who shows a token."""
    return {"Authorization": f"Bearer {token}"}


def credentials(tenant: Tenant) -> dict[str, Any]:
    """A new client's."""
    known = secrets_of(tenant.person("vendor", kind="client").credentials)
    return {"data": {"grant_type": "client_credentials", **known}}


@contextmanager
def before_the_first_start(access: Access) -> Iterator[None]:
    """Nobody is an operator, and the token of the configuration was not used."""
    operators = "tenant_id IS NULL AND disabled_at IS NULL"
    access.query(f"UPDATE principals SET disabled_at = 'epoch' WHERE {operators}")  # noqa: S608 - ours
    access.query("UPDATE bootstrap_tokens SET used_at = NULL, seen_at = now()")
    try:
        yield
    finally:
        access.query("UPDATE principals SET disabled_at = NULL WHERE disabled_at = 'epoch'")


def bootstrap(tenant: Tenant) -> dict[str, Any]:
    """The token of the configuration."""
    return {"json": {"token": tenant.access.bootstrap_token, "name": "Operations"}}


def log_out_elsewhere(tenant: Tenant) -> dict[str, Any]:
    """What a provider that the tenant trusts says of somebody."""
    body = issuer_body()
    with tenant.access.client(tenant.admin) as client:
        assert client.post("/v1/oidc-issuers", json=body, headers=once()).status_code == 201
    return {"data": {"logout_token": logout_token(body["issuer"], body["audience"], "hanako")}}


def own_token(tenant: Tenant) -> dict[str, Any]:
    """A token to give back."""
    return {"headers": bearer(tenant.person("analyst").token)}


def own_password(tenant: Tenant) -> dict[str, Any]:
    """Somebody who logged in takes another."""
    session = somebody(tenant).session()
    body = {"password": PASSWORD, "new_password": "もう一つの長い合言葉です"}
    return {"json": body, "headers": bearer(session["access_token"])}


def invitation(tenant: Tenant) -> str:
    """The token of a new one."""
    invited = invite(tenant, tenant.person("analyst").id, new_name())
    assert invited.status_code == 201, invited.text
    return str(invited.json()["token"])


def accepted(tenant: Tenant) -> dict[str, Any]:
    """An invitation, and the code that the app shows."""
    token = invitation(tenant)
    secret = accept(tenant, token).json()["secret"]
    return {"json": {"token": token, "code": app_code(secret)}}


PUBLIC = [
    PublicOperation("POST", "/oauth2/token", credentials),
    PublicOperation("GET", "/.well-known/jwks.json"),
    PublicOperation("POST", "/v1/bootstrap", bootstrap, before_the_first_start),
    PublicOperation("POST", "/oauth2/revoke", own_token),
    PublicOperation("POST", "/oidc/backchannel-logout", log_out_elsewhere),
    PublicOperation("POST", "/v1/sessions", lambda tenant: {"json": somebody(tenant).says()}),
    PublicOperation(
        "POST",
        "/v1/sessions/refresh",
        lambda tenant: {"json": {"refresh_token": somebody(tenant).session()["refresh_token"]}},
    ),
    PublicOperation(
        "DELETE",
        "/v1/sessions/current",
        lambda tenant: {"headers": bearer(somebody(tenant).session()["access_token"])},
    ),
    PublicOperation(
        "POST",
        "/v1/invitations/accept",
        lambda tenant: {"json": {"token": invitation(tenant), "password": PASSWORD}},
    ),
    PublicOperation("POST", "/v1/invitations/confirm", accepted),
    PublicOperation("PUT", "/v1/password", own_password),
]
