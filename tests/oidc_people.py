"""Tenants of a running access that trust a running identity provider, and people who come by it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import jwt

import issuer_server
import servers
from access_service import Access, Tenant, once
from otokura.cli.local.ports import free_ports
from otokura.cli.local.program import Program

PATIENCE_SECONDS = 30.0
QUALITY = {"purpose": "quality"}
GROUPS = [
    {"group": "supervisors", "role": "supervisor"},
    {"group": "agents", "role": "agent"},
    {"group": "compliance", "role": "auditor"},
    {"group": "bosses", "role": "admin"},
    {"group": "robots", "role": "analyst"},
]
PEOPLE: dict[str, dict[str, Any]] = {
    "hanako": {"groups": ["supervisors"], "name": "山田 花子", "email": "hanako@example.jp"},
    "taro": {"groups": ["agents"], "name": "鈴木 太郎", "cti_ids": ["2041", "2099"]},
    "boss": {"groups": ["bosses"], "name": "社長"},
    "stranger": {"name": "Somebody"},
    "machine": {"groups": ["robots"]},
}
SECONDS = {"OTOKURA_OIDC_REFETCH_SECONDS": "0.2", "OTOKURA_OIDC_FRESH_SECONDS": "1.5"}


def settings(issuer: issuer_server.Issuer, tenant: Tenant, **changes: Any) -> dict[str, Any]:
    """What a tenant's administrator configures. Every tenant has an audience of its own."""
    return {
        "issuer": issuer.url,
        "audience": audience(tenant),
        "algorithms": ["RS256", "ES256"],
        "groups_claim": "groups",
        "groups": GROUPS,
        "agents_claim": "cti_ids",
        "provisioning": True,
        **changes,
    }


def audience(tenant: Tenant) -> str:
    return f"https://{tenant.id}.example"


@dataclass(frozen=True)
class Trust:
    """A tenant's configuration of the issuer."""

    access: Access
    tenant: Tenant
    issuer: issuer_server.Issuer
    id: UUID

    @property
    def path(self) -> str:
        return f"/v1/oidc-issuers/{self.id}"

    def admin(self) -> httpx.Client:
        return self.access.client(self.tenant.admin)

    def person(self, subject: str) -> str:
        """A new access token of somebody who logged in."""
        return self.issuer.tokens(subject, audience(self.tenant))["access_token"]

    def machine(self) -> str:
        return self.issuer.machine_token(audience(self.tenant))

    def forged(self, typ: str = "at+jwt", of: str | None = None, **changes: Any) -> str:
        """A token signed with the issuer's own key, of claims that it would never make.

        `of`: a token with the other claims; a new machine's when there is none.
        """
        token = of or self.machine()
        claims = jwt.decode(token, options={"verify_signature": False})
        claims = {name: value for name, value in {**claims, **changes}.items() if value != "absent"}
        header = issuer_server.header_of(token)
        key = jwt.PyJWK(self.issuer.keys[0], header["alg"]).key
        return jwt.encode(claims, key, header["alg"], {"kid": header["kid"], "typ": typ})

    def status(self, token: str, path: str = "/v1/calls") -> int:
        with self.access.client(token) as client:
            return client.get(path).status_code

    def subjects(self) -> dict[str, dict[str, Any]]:
        """Who is known by the issuer, by subject."""
        with self.admin() as client:
            answer = client.get(f"{self.path}/subjects")
        assert answer.status_code == 200, answer.text
        return {item["subject"]: item for item in answer.json()["items"]}

    def change(self, **changes: Any) -> httpx.Response:
        with self.admin() as client:
            found = client.get(self.path)
            left_out = {"id", "issuer", "subject_claim", "created_at"}
            body = {name: value for name, value in found.json().items() if name not in left_out}
            match = {"If-Match": found.headers["ETag"]}
            return client.put(self.path, json={**body, **changes}, headers=match)


def trust(access: Access, tenant: Tenant, issuer: issuer_server.Issuer, **changes: Any) -> Trust:
    """The tenant trusts the issuer from now on."""
    with access.client(tenant.admin) as client:
        body = settings(issuer, tenant, **changes)
        made = client.post("/v1/oidc-issuers", json=body, headers=once())
    assert made.status_code == 201, made.text
    return Trust(access, tenant, issuer, UUID(made.json()["id"]))


@contextmanager
def second_instance(access: Access) -> Iterator[httpx.Client]:
    """Another process of access on the same database; a client of it, at the office, without a token."""
    port = free_ports(1)[0]
    env = {**access.environment(), "OTOKURA_PORT": str(port)}
    program = Program("access-2", access.program._argv, env=env, log=access.folder / "access-2.log")
    url = f"http://127.0.0.1:{port}"

    def up() -> bool:
        try:
            return httpx.get(f"{url}/healthz", verify=servers.PLAIN).status_code == 200
        except httpx.TransportError:
            return False

    program.start()
    try:
        program.wait_until(up)
        with access.client() as client:
            client.base_url = httpx.URL(url)
            yield client
    finally:
        program.stop()


def later(trusted: Trust, subject: str, than: str) -> str:
    """A token of somebody, made in a later second."""
    before = jwt.decode(than, options={"verify_signature": False})["iat"]
    while True:
        token = trusted.person(subject)
        if jwt.decode(token, options={"verify_signature": False})["iat"] > before:
            return token


def becomes(status: Callable[[], int], wanted: int) -> bool:
    """Whether the answer is this, soon."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := status()) != wanted:
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    return True
