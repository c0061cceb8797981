"""A tenant that has one of everything, and what makes another one of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from access_calls import Call
from access_feeds import searched
from access_grants import ask_to_break, give
from access_people import somebody
from access_service import Access, Person, Tenant, once
from otokura.shared.events import Role
from otokura.shared.ids import uuid7
from published_issuer import new_issuer_url

AGENT_ID = "2041"
REASON = {"purpose": "quality", "reason": "matrix"}

Ids = Mapping[str, UUID]


def new_name() -> str:
    """One that nothing has."""
    return f"m{uuid7().hex[-12:]}"


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
    made |= (
        {"analyst_id": people[Role.ANALYST].id} | new_grant(tenant) | new_glass(tenant) | new_pause(tenant)
    )
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


def new_grant(tenant: Tenant) -> dict[str, UUID]:
    """A grant that a supervisor of no part in it gave an analyst."""
    giver, reader = tenant.person("supervisor"), tenant.person("analyst")
    return {"grant_id": UUID(give(tenant.access, giver, reader, tenant.call())["id"])}


def new_glass(tenant: Tenant) -> dict[str, UUID]:
    """What another agent asked for, and nobody approved yet."""
    asked = ask_to_break(tenant.access, tenant.person("agent"))
    assert asked.status_code == 201, asked.text
    return {"glass_id": UUID(asked.json()["id"])}


def new_pause(tenant: Tenant) -> dict[str, UUID]:
    """A reader who is paused, as a rule would have it."""
    reader = tenant.person("analyst").id
    tenant.access.query("UPDATE principals SET paused_at = now() WHERE id = :id", id=reader)
    return {"reader_id": reader}


def grant_body(ids: Ids) -> dict[str, Any]:
    """A grant for the analyst."""
    named = {"call_id": str(ids["call_id"]), "reader_id": str(ids["analyst_id"])}
    return {"json": {**named, **REASON, "what": ["listen"]}}


def new_transcription(tenant: Tenant, call_id: UUID) -> dict[str, UUID]:
    """A request that a call be transcribed again."""
    body = {"call_id": str(call_id), "reason": "matrix"}
    return {"request_id": UUID(_post(tenant, "/v1/transcriptions", body)["id"])}


def feed_body() -> dict[str, Any]:
    """A feed that nobody has yet."""
    name = new_name()
    return {"name": name, "purpose": "quality", "fields": ["turns"], "principals": [f"User:{name}"]}
