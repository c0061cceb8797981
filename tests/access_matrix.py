"""Every operation of access, and who may do it.

`OPERATIONS` is the table that `tests/security/access/test_tenancy_matrix.py` holds against the OpenAPI: an
operation that does not stand here fails.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from access_service import PURPOSES, Tenant, once
from access_sites import (
    Ids,
    erasure_body,
    feed_body,
    grant_body,
    issuer_body,
    new_erasable,
    new_erasure,
    new_feed,
    new_glass,
    new_grant,
    new_hold,
    new_issuer,
    new_key,
    new_login,
    new_name,
    new_pause,
    new_person,
    new_principal,
    new_rewrapped,
    new_rotation,
    new_sealed,
    new_subject,
    new_zone,
    ready_to_rotate,
)
from otokura.shared.events import Role

ADMIN = frozenset({Role.ADMIN})
OPERATOR = frozenset({Role.OPERATOR})
OFFICER = frozenset({Role.EVIDENCE_OFFICER})
HEARING = frozenset({Role.AGENT, Role.SUPERVISOR, Role.EVIDENCE_OFFICER})
READING = HEARING | {Role.ANALYST}
REASON = {"purpose": "quality", "reason": "matrix"}

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
    renewed: Callable[[Tenant], Ids] | None = None
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


def reading(**more: str) -> Callable[[Ids], dict[str, Any]]:
    """The query of a read."""
    return lambda _ids: {"params": REASON | more}


OPERATIONS = [
    Operation("GET", "/v1/calls", READING),
    Operation("GET", "/v1/calls/{call_id}", READING),
    Operation("GET", "/v1/calls/{call_id}/audio", HEARING, reading()),
    Operation("HEAD", "/v1/calls/{call_id}/audio", HEARING, reading()),
    Operation("GET", "/v1/calls/{call_id}/sealed", HEARING, reading(), renewed=new_sealed),
    Operation("GET", "/v1/calls/{call_id}/transcript", HEARING, reading()),
    Operation("GET", "/v1/calls/{call_id}/transcript", READING, reading(view="redacted")),
    Operation("GET", "/v1/calls/{call_id}/transcript/live", READING, reading()),
    Operation("GET", "/v1/calls/{call_id}/transcripts", READING),
    Operation("POST", "/v1/calls/{call_id}/evidence", OFFICER, json_of({"reason": "matrix"})),
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
    Operation("GET", "/v1/grants", READING | ADMIN),
    Operation(
        "POST",
        "/v1/grants",
        OFFICER | {Role.SUPERVISOR},
        lambda ids: {"json": grant_body(ids)},
        body_names=True,
    ),
    Operation("DELETE", "/v1/grants/{grant_id}", ADMIN | OFFICER, renewed=new_grant),
    Operation("GET", "/v1/break-glass", READING | ADMIN),
    Operation(
        "POST", "/v1/break-glass", frozenset({Role.AGENT, Role.SUPERVISOR}), json_of({"reason": "matrix"})
    ),
    Operation("PUT", "/v1/break-glass/{glass_id}/approval", ADMIN | OFFICER, renewed=new_glass),
    Operation("DELETE", "/v1/break-glass/{glass_id}", ADMIN | OFFICER, renewed=new_glass),
    Operation("GET", "/v1/signals", ADMIN),
    Operation("GET", "/v1/pauses", ADMIN),
    Operation("DELETE", "/v1/pauses/{reader_id}", ADMIN, renewed=new_pause),
    Operation("GET", "/v1/calls/{call_id}/holds", OFFICER),
    Operation(
        "POST", "/v1/calls/{call_id}/holds", OFFICER, json_of({"reason": "matrix"}), renewed=new_erasable
    ),
    Operation(
        "POST",
        "/v1/calls/{call_id}/holds/{hold_id}/lift",
        OFFICER,
        json_of({"reason": "matrix"}),
        renewed=new_hold,
    ),
    Operation("GET", "/v1/erasures", OFFICER),
    Operation(
        "POST",
        "/v1/erasures",
        OFFICER,
        lambda ids: {"json": erasure_body(ids)},
        renewed=new_erasable,
        body_names=True,
    ),
    Operation(
        "POST",
        "/v1/erasures/preview",
        OFFICER,
        lambda ids: {"json": {"call_ids": [str(ids["call_id"])]}},
        body_names=True,
    ),
    Operation("GET", "/v1/erasures/{erasure_id}", OFFICER),
    Operation("GET", "/v1/erasures/{erasure_id}/calls", OFFICER),
    Operation("DELETE", "/v1/erasures/{erasure_id}", OFFICER, renewed=new_erasure),
    Operation(
        "POST",
        "/v1/exports",
        OFFICER,
        lambda ids: {"json": {"call_ids": [str(ids["call_id"])], "reason": "matrix"}},
        body_names=True,
    ),
    Operation("GET", "/v1/retention", ADMIN),
    Operation("PUT", "/v1/retention", ADMIN, json_of({"call": {"max_days": 400}}), matching=True),
    Operation("GET", "/v1/key-rotations", OPERATOR),
    Operation(
        "POST",
        "/v1/key-rotations",
        OPERATOR,
        lambda ids: {"json": {"kek_id": str(ids["kek_id"])} if "kek_id" in ids else {}},
        renewed=ready_to_rotate,
    ),
    Operation("GET", "/v1/key-rotations/{rotation_id}", OPERATOR, renewed=new_rotation),
    Operation("POST", "/v1/key-rotations/{rotation_id}/completion", OPERATOR, renewed=new_rewrapped),
]
"""Those that ask who somebody is. The others stand in `access_public.py`."""
