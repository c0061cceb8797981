"""People of a tenant who log in with a password and the code of an app, as tests need them."""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from access_service import OFFICE, Access, Tenant, once
from otokura.shared.ids import uuid7

PASSWORD = "長い合言葉は覚えやすいです"
WRONG = {"password": "another sentence altogether"}


def app_code(secret: str, steps: int = 0) -> str:
    """What an authenticator app shows now, or some steps of 30 s later."""
    key = base64.b32decode(secret)
    return TOTP(key, 6, SHA1(), 30).generate(int(time.time()) + 30 * steps).decode()  # noqa: S303 - as apps do


@dataclass
class Somebody:
    """A person who can log in, and everything that they know."""

    tenant: Tenant
    id: UUID
    company: str
    login: str
    secret: str | None
    password: str = PASSWORD
    confirming: str | None = None
    """The code that confirmed the app."""

    @property
    def access(self) -> Access:
        return self.tenant.access

    def code(self) -> str:
        """A code that was not used: those used so far are forgotten, or each login would take 30 s."""
        self.access.query("UPDATE logins SET last_step = -1 WHERE principal_id = :id", id=self.id)
        assert self.secret is not None
        return app_code(self.secret)

    def says(self, **changes: Any) -> dict[str, Any]:
        """What the person says of themselves."""
        said = {"company": self.company, "login": self.login, "password": self.password}
        if self.secret is not None and "code" not in changes:
            said["code"] = self.code()
        return said | changes

    def log_in(self, *, address: str = OFFICE, **changes: Any) -> httpx.Response:
        with self.access.client(address=address) as client:
            return client.post("/v1/sessions", json=self.says(**changes))

    def session(self, *, address: str = OFFICE) -> dict[str, Any]:
        """The tokens of a new session."""
        response = self.log_in(address=address)
        assert response.status_code == 201, response.text
        tokens: dict[str, Any] = response.json()
        return tokens


def refresh(access: Access, token: str, *, address: str = OFFICE) -> httpx.Response:
    """Another token for a refresh token."""
    with access.client(address=address) as client:
        return client.post("/v1/sessions/refresh", json={"refresh_token": token})


def status(access: Access, token: str, path: str = "/v1/calls") -> int:
    """What a token is worth at the moment."""
    with access.client(token) as client:
        return client.get(path).status_code


def company(tenant: Tenant) -> str:
    """The tenant's name."""
    [row] = tenant.access.query("SELECT name FROM tenants WHERE id = :id", id=tenant.id)
    return str(row.name)


def invite(tenant: Tenant, principal_id: UUID | str, login: str) -> httpx.Response:
    with tenant.access.client(tenant.admin) as client:
        return client.post(f"/v1/principals/{principal_id}/invitation", json={"login": login}, headers=once())


def accept(tenant: Tenant, token: str, *, address: str = OFFICE, **more: Any) -> httpx.Response:
    with tenant.access.client(address=address) as client:
        return client.post("/v1/invitations/accept", json={"token": token, "password": PASSWORD} | more)


def confirm(tenant: Tenant, token: str, code: str, *, address: str = OFFICE) -> httpx.Response:
    with tenant.access.client(address=address) as client:
        return client.post("/v1/invitations/confirm", json={"token": token, "code": code})


def demand_second_factor(tenant: Tenant, demanded: bool) -> None:
    with tenant.access.client(tenant.admin) as client:
        read = client.get("/v1/settings")
        changed = read.json() | {"require_second_factor": demanded}
        match = {"If-Match": read.headers["ETag"]}
        assert client.put("/v1/settings", json=changed, headers=match).status_code == 200


def somebody(tenant: Tenant, role: str = "supervisor", *, factor: bool = True, **more: Any) -> Somebody:
    """A person who was invited, and has accepted and confirmed."""
    created = tenant.create(role, **more)
    assert created.status_code == 201, created.text
    login = f"hanako-{uuid7().hex[-8:]}@midori.example"
    invited = invite(tenant, created.json()["id"], login)
    assert invited.status_code == 201, invited.text
    token = invited.json()["token"]
    accepted = accept(tenant, token, second_factor=factor)
    assert accepted.status_code == 200, accepted.text
    told = accepted.json()
    person = Somebody(tenant, UUID(created.json()["id"]), told["company"], login, told["secret"])
    if factor:
        person.confirming = app_code(told["secret"])
        confirmed = confirm(tenant, token, person.confirming)
        assert confirmed.status_code == 204, confirmed.text
    return person
