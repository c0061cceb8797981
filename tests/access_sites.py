"""A tenant that has one of everything that can be read, changed or taken away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import customer
from access_calls import Call
from access_feeds import searched
from access_people import somebody
from access_service import Access, Person, Tenant, once
from otokura.shared.events import Role
from otokura.shared.ids import uuid7
from otokura.shared.keyring import read_keyring
from published_issuer import new_issuer_url
from redacted_calls import flac, noise, resealed

AGENT_ID = "2041"

Ids = Mapping[str, UUID | str]
"""By the name that stands in a path."""


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
    call = new_call(tenant)
    ids: dict[str, UUID] = {"call_id": call.id, "reader_id": people[Role.ANALYST].id, "rotation_id": uuid7()}
    for make in (new_zone, new_key, new_feed, new_issuer, new_transcription, new_grant, new_glass):
        ids = make(tenant) | ids
    return Site(tenant, people, call, new_erasure(tenant) | new_hold(tenant) | ids)


def new_call(tenant: Tenant) -> Call:
    """A call of the site's agent, with real audio and a transcript that was searched for what to redact."""
    samples = noise(1.0)
    call = tenant.call(audio=flac(samples), said=searched)
    # An export decodes it, and holds what it finds against the manifest.
    return resealed(tenant.access, call, samples=len(samples), duration_ms=1000)


def _more(role: Role) -> dict[str, Any]:
    if role is Role.VENDOR:
        return {"kind": "client"}
    return {"agent_ids": [AGENT_ID]} if role is Role.AGENT else {}


def _post(tenant: Tenant, path: str, body: Mapping[str, Any], role: Role = Role.ADMIN) -> dict[str, Any]:
    token = tenant.admin if role is Role.ADMIN else tenant.person(role.value).token
    with tenant.access.client(token) as client:
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


def new_transcription(tenant: Tenant) -> dict[str, UUID]:
    """A request that a call be transcribed again."""
    body = {"call_id": str(new_call(tenant).id), "reason": "matrix"}
    return {"request_id": UUID(_post(tenant, "/v1/transcriptions", body)["id"])}


def new_grant(tenant: Tenant) -> dict[str, UUID]:
    """A grant that a supervisor of no team gave an analyst."""
    ids = {"call_id": new_call(tenant).id, "reader_id": tenant.person("analyst").id}
    made = _post(tenant, "/v1/grants", grant_body(ids), Role.SUPERVISOR)
    return ids | {"grant_id": UUID(made["id"])}


def grant_body(ids: Ids) -> dict[str, Any]:
    """A grant of that call for that reader."""
    named = {"call_id": str(ids["call_id"]), "reader_id": str(ids["reader_id"])}
    return {**named, "what": ["listen-redacted"], "purpose": "quality", "reason": "matrix"}


def new_glass(tenant: Tenant) -> dict[str, UUID]:
    """Glass that a supervisor asks to break."""
    return {"glass_id": UUID(_post(tenant, "/v1/break-glass", {"reason": "matrix"}, Role.SUPERVISOR)["id"])}


def new_pause(tenant: Tenant) -> dict[str, UUID]:
    """A reader who may not read because of a signal."""
    reader_id = tenant.person("analyst").id
    tenant.access.query("UPDATE principals SET paused_at = now() WHERE id = :id", id=reader_id)
    return {"reader_id": reader_id}


def new_hold(tenant: Tenant) -> dict[str, UUID]:
    """A call that is held."""
    call_id = new_call(tenant).id
    made = _post(tenant, f"/v1/calls/{call_id}/holds", {"reason": "matrix"}, Role.EVIDENCE_OFFICER)
    return {"call_id": call_id, "hold_id": UUID(made["id"])}


def new_erasure(tenant: Tenant) -> dict[str, UUID]:
    """An erasure that waits, since its call is held."""
    ids = new_hold(tenant)
    made = _post(tenant, "/v1/erasures", erasure_body(ids), Role.EVIDENCE_OFFICER)
    return ids | {"erasure_id": UUID(made["id"])}


def new_sealed(tenant: Tenant) -> dict[str, UUID]:
    """A call of the site's agent that is sealed for a customer of the tenant, who holds the key."""
    return {"call_id": tenant.call(customer_key=customer.public_pem()).id}


def ready_to_rotate(tenant: Tenant) -> dict[str, str]:
    """Nothing rotates, since one rotation is open at a time; and the key that wraps."""
    over = "UPDATE key_rotations SET rewrapped_at = now(), destroyed_at = now() WHERE destroyed_at IS NULL"
    tenant.access.query(over)
    return {"kek_id": read_keyring(tenant.access.keyring)[0].current}


def new_rotation(tenant: Tenant) -> dict[str, UUID]:
    """A rotation that ends no key: what is wrapped stays as it is."""
    with tenant.access.client(tenant.access.operator()) as client:
        made = client.post("/v1/key-rotations", json=ready_to_rotate(tenant), headers=once())
    assert (made.status_code, made.json()["retiring"]) == (201, []), made.text
    return {"rotation_id": UUID(made.json()["id"])}


def new_rewrapped(tenant: Tenant) -> dict[str, UUID]:
    """One after which, as every service has said, nothing needs the old keys."""
    ids = new_rotation(tenant)
    over = "UPDATE key_rotations SET rewrapped_at = now() WHERE id = :id"
    tenant.access.query(over, id=ids["rotation_id"])
    return ids


def new_erasable(tenant: Tenant) -> dict[str, UUID]:
    """A call that is not needed any more."""
    return {"call_id": new_call(tenant).id}


def erasure_body(ids: Ids) -> dict[str, Any]:
    """That the call be erased."""
    return {"call_ids": [str(ids["call_id"])], "ground": "not-needed", "reason": "matrix"}


def feed_body() -> dict[str, Any]:
    """A feed that nobody has yet."""
    name = new_name()
    return {"name": name, "purpose": "quality", "fields": ["turns"], "principals": [f"User:{name}"]}


def new_name() -> str:
    """One that nothing has."""
    return f"m{uuid7().hex[-12:]}"
