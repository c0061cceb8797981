"""Every operation of access, who may do it, and a tenant that has one of everything it can be done to.

`OPERATIONS` is the table that `tests/security/access/test_tenancy_matrix.py` holds against the OpenAPI: an
operation that does not stand here fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx

from access_calls import Call
from access_feeds import searched
from access_people import somebody
from access_service import PURPOSES, Access, Person, Tenant, once
from otokura.shared.events import Role
from otokura.shared.ids import uuid7
from published_issuer import new_issuer_url

AGENT_ID = "2041"
ADMIN = frozenset({Role.ADMIN})
OPERATOR = frozenset({Role.OPERATOR})
HEARING = frozenset({Role.AGENT, Role.SUPERVISOR, Role.EVIDENCE_OFFICER})
READING = HEARING | {Role.ANALYST}
REASON = {"purpose": "quality", "reason": "matrix"}

Ids = Mapping[str, UUID]


@dataclass(frozen=True)
class Site:
    """A tenant with a person of every role and one of everything.

    Attributes:
        tenant: it.
        people: by role; the agent is behind the calls.
        call: sealed and transcribed.
        ids: what paths and bodies name.
    """

    tenant: Tenant
    people: Mapping[Role, Person]
    call: Call
    ids: Ids

    def secrets(self) -> frozenset[str]:
        """What no answer to anybody of another tenant may hold."""
        named = {str(person.id) for person in self.people.values()} | set(map(str, self.ids.values()))
        return frozenset(named | {str(self.tenant.id), str(self.call.manifest.external_id)})


def site(access: Access) -> Site:
    """A new one."""
    tenant = access.tenant()
    roles = [role for role in Role if role is not Role.OPERATOR]
    people: dict[Role, Person] = {role: tenant.person(role.value, **_more(role)) for role in roles}
    call = tenant.call(said=searched)
    made = {"call_id": call.id} | new_zone(tenant) | new_key(tenant) | new_feed(tenant) | new_issuer(tenant)
    return Site(tenant, people, call, made | new_transcription(tenant, call.id))


def _more(role: Role) -> dict[str, Any]:
    if role is Role.VENDOR:
        return {"kind": "client"}
    return {"agent_ids": [AGENT_ID]} if role is Role.AGENT else {}


def _post(tenant: Tenant, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    with tenant.access.client(tenant.admin) as client:
        response = client.post(path, json=body, headers=once())
    assert response.status_code == 201, response.text
    created: dict[str, Any] = response.json()
    return created


def new_zone(tenant: Tenant) -> dict[str, UUID]:
    """A zone beside the office."""
    body = {"name": f"z{uuid7().hex[-12:]}", "networks": ["192.0.2.0/28"]}
    return {"zone_id": UUID(_post(tenant, "/v1/zones", body)["id"])}


def new_principal(tenant: Tenant) -> dict[str, UUID]:
    """A vendor's client."""
    return {"principal_id": UUID(tenant.create("vendor", kind="client").json()["id"])}


def new_person(tenant: Tenant) -> dict[str, UUID]:
    """A person who is not invited."""
    return {"principal_id": tenant.person("analyst").id}


def new_login(tenant: Tenant) -> dict[str, UUID]:
    """A person who can log in."""
    return {"principal_id": somebody(tenant, "analyst").id}


def new_key(tenant: Tenant) -> dict[str, UUID]:
    """A vendor's client with a second key."""
    ids = new_principal(tenant)
    return ids | {"key_id": UUID(_post(tenant, f"/v1/principals/{ids['principal_id']}/keys", {})["id"])}


def new_feed(tenant: Tenant) -> dict[str, UUID]:
    """A feed."""
    return {"feed_id": UUID(_post(tenant, "/v1/feeds", feed_body())["id"])}


def new_issuer(tenant: Tenant) -> dict[str, UUID]:
    """An identity provider that the tenant trusts."""
    return {"issuer_id": UUID(_post(tenant, "/v1/oidc-issuers", issuer_body())["id"])}


def new_subject(tenant: Tenant) -> dict[str, UUID]:
    """Another one, and somebody who comes by it."""
    ids = new_issuer(tenant) | new_person(tenant)
    body = {"subject": new_name(), "principal_id": str(ids["principal_id"])}
    _post(tenant, f"/v1/oidc-issuers/{ids['issuer_id']}/subjects", body)
    return ids


def issuer_body() -> dict[str, Any]:
    """An identity provider that nobody trusts yet."""
    return {"issuer": new_issuer_url(), "audience": new_name(), "algorithms": ["ES256"]}


def new_transcription(tenant: Tenant, call_id: UUID) -> dict[str, UUID]:
    """A request that a call be transcribed again."""
    body = {"call_id": str(call_id), "reason": "matrix"}
    return {"request_id": UUID(_post(tenant, "/v1/transcriptions", body)["id"])}


def feed_body() -> dict[str, Any]:
    """A feed that nobody has yet."""
    name = new_name()
    return {"name": name, "purpose": "quality", "fields": ["turns"], "principals": [f"User:{name}"]}


ZONE = {"networks": ["192.0.2.0/28"]}


@dataclass(frozen=True)
class Operation:
    """A route with one request that is good.

    Attributes:
        method: of HTTP.
        path: as it stands in the OpenAPI.
        may: the roles that may, on what is their tenant's.
        request: what `httpx` is told beside path, from the ids of a site.
        matching: If-Match with the ETag that a GET of the same path gives an administrator.
        renewed: makes anew what the request uses up.
        across: the roles that may on every tenant.
        body_names: whether the body names something of a tenant.
    """

    method: str
    path: str
    may: frozenset[Role]
    request: Callable[[Ids], dict[str, Any]] = lambda _ids: {}
    matching: bool = False
    renewed: Callable[[Tenant], dict[str, UUID]] | None = None
    across: frozenset[Role] = field(default_factory=frozenset[Role])
    body_names: bool = False

    @property
    def names(self) -> bool:
        """Whether path or body name something of a tenant."""
        return "{" in self.path or self.body_names

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def ask(self, client: httpx.Client, ids: Ids, etag: str | None = None) -> httpx.Response:
        """The request about those things."""
        options = self.request(ids)
        headers = once() if self.method == "POST" else {}
        if etag is not None:
            headers["If-Match"] = etag
        headers |= options.pop("headers", {})
        return client.request(self.method, self.path.format(**ids), headers=headers, **options)


def json_of(body: Any) -> Callable[[Ids], dict[str, Any]]:
    """The same JSON about anything."""
    return lambda _ids: {"json": body}


def new_name() -> str:
    """One that nothing has."""
    return f"m{uuid7().hex[-12:]}"


def reading(**more: str) -> Callable[[Ids], dict[str, Any]]:
    """The query of a read."""
    return lambda _ids: {"params": REASON | more}


OPERATIONS = [
    Operation("GET", "/v1/calls", READING),
    Operation("GET", "/v1/calls/{call_id}", READING),
    Operation("GET", "/v1/calls/{call_id}/audio", HEARING, reading()),
    Operation("HEAD", "/v1/calls/{call_id}/audio", HEARING, reading()),
    Operation("GET", "/v1/calls/{call_id}/transcript", HEARING, reading()),
    Operation("GET", "/v1/calls/{call_id}/transcript", READING, reading(view="redacted")),
    Operation("GET", "/v1/calls/{call_id}/transcript/live", READING, reading()),
    Operation("GET", "/v1/calls/{call_id}/transcripts", READING),
    Operation("POST", "/v1/search", READING, json_of(REASON | {"phrase": "thank you"})),
    Operation("GET", "/v1/tenants", OPERATOR),
    Operation("POST", "/v1/tenants", OPERATOR, lambda _ids: {"json": {"name": new_name()}}),
    Operation("GET", "/v1/settings", ADMIN),
    Operation("PUT", "/v1/settings", ADMIN, json_of({"purposes": PURPOSES}), matching=True),
    Operation("GET", "/v1/zones", ADMIN),
    Operation("POST", "/v1/zones", ADMIN, lambda _ids: {"json": ZONE | {"name": new_name()}}),
    Operation("GET", "/v1/zones/{zone_id}", ADMIN),
    Operation("PUT", "/v1/zones/{zone_id}", ADMIN, json_of(ZONE), matching=True),
    Operation("DELETE", "/v1/zones/{zone_id}", ADMIN, renewed=new_zone),
    Operation("GET", "/v1/principals", ADMIN),
    Operation(
        "POST", "/v1/principals", ADMIN, json_of({"name": "花子", "kind": "person", "roles": ["analyst"]})
    ),
    Operation("GET", "/v1/principals/{principal_id}", ADMIN),
    Operation(
        "PUT",
        "/v1/principals/{principal_id}",
        ADMIN,
        json_of({"name": "renamed", "roles": ["vendor"]}),
        matching=True,
    ),
    Operation("DELETE", "/v1/principals/{principal_id}", ADMIN, renewed=new_principal),
    Operation(
        "POST",
        "/v1/principals/{principal_id}/invitation",
        ADMIN,
        lambda _ids: {"json": {"login": new_name()}},
        renewed=new_person,
    ),
    Operation("POST", "/v1/principals/{principal_id}/second-factor/reset", ADMIN, renewed=new_login),
    Operation("GET", "/v1/principals/{principal_id}/sessions", ADMIN),
    Operation("DELETE", "/v1/principals/{principal_id}/sessions", ADMIN),
    Operation("GET", "/v1/principals/{principal_id}/keys", ADMIN),
    Operation("POST", "/v1/principals/{principal_id}/keys", ADMIN, json_of({}), renewed=new_principal),
    Operation("DELETE", "/v1/principals/{principal_id}/keys/{key_id}", ADMIN, renewed=new_key),
    Operation("POST", "/v1/principals/{principal_id}/secret", ADMIN, json_of({}), renewed=new_principal),
    Operation("GET", "/v1/principals/{principal_id}/limits", ADMIN),
    Operation("PUT", "/v1/principals/{principal_id}/limits", ADMIN, json_of({})),
    Operation("GET", "/v1/oidc-issuers", ADMIN),
    Operation("POST", "/v1/oidc-issuers", ADMIN, lambda _ids: {"json": issuer_body()}),
    Operation("GET", "/v1/oidc-issuers/{issuer_id}", ADMIN),
    Operation(
        "PUT",
        "/v1/oidc-issuers/{issuer_id}",
        ADMIN,
        lambda _ids: {"json": {"audience": new_name()}},
        matching=True,
    ),
    Operation("DELETE", "/v1/oidc-issuers/{issuer_id}", ADMIN, renewed=new_issuer),
    Operation("GET", "/v1/oidc-issuers/{issuer_id}/subjects", ADMIN),
    Operation(
        "POST",
        "/v1/oidc-issuers/{issuer_id}/subjects",
        ADMIN,
        lambda ids: {"json": {"subject": new_name(), "principal_id": str(ids["principal_id"])}},
        renewed=new_person,
    ),
    Operation("DELETE", "/v1/oidc-issuers/{issuer_id}/subjects/{principal_id}", ADMIN, renewed=new_subject),
    Operation(
        "PUT",
        "/v1/oidc-issuers/{issuer_id}/subjects/{principal_id}/not-before",
        ADMIN,
        json_of({}),
        renewed=new_subject,
    ),
    Operation("GET", "/v1/feeds", ADMIN),
    Operation("POST", "/v1/feeds", ADMIN, lambda _ids: {"json": feed_body()}),
    Operation("GET", "/v1/feeds/{feed_id}", ADMIN),
    Operation("PATCH", "/v1/feeds/{feed_id}", ADMIN, json_of({"name": "renamed"}), matching=True),
    Operation("DELETE", "/v1/feeds/{feed_id}", ADMIN, renewed=new_feed),
    Operation("GET", "/v1/transcriptions", ADMIN | OPERATOR),
    Operation(
        "POST",
        "/v1/transcriptions",
        ADMIN | OPERATOR,
        lambda ids: {"json": {"call_id": str(ids["call_id"]), "reason": "matrix"}},
        across=OPERATOR,
        body_names=True,
    ),
    Operation(
        "POST",
        "/v1/transcriptions/preview",
        ADMIN | OPERATOR,
        lambda ids: {"json": {"call_id": str(ids["call_id"])}},
        across=OPERATOR,
        body_names=True,
    ),
    Operation("GET", "/v1/transcriptions/{request_id}", ADMIN, across=OPERATOR),
]

PUBLIC = {
    "POST /oauth2/token",
    "GET /.well-known/jwks.json",
    "POST /v1/bootstrap",
    "POST /oauth2/revoke",
    "POST /oidc/backchannel-logout",
    "POST /v1/sessions",
    "POST /v1/sessions/refresh",
    "DELETE /v1/sessions/current",
    "POST /v1/invitations/accept",
    "POST /v1/invitations/confirm",
    "PUT /v1/password",
}
"""Asked without a token, or about the token that is shown and whose it is."""
