"""Grants and broken glass as tests make them, through the service as it runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar
from uuid import UUID

import httpx

from access_calls import Call
from access_service import OFFICE, Access, Person, Tenant, once

T = TypeVar("T")
PATIENCE_SECONDS = 30.0
QUALITY = {"purpose": "quality"}


class Named(Protocol):
    """A call, whether it lasts or is recorded."""

    @property
    def id(self) -> UUID: ...


def until(look: Callable[[], T | None]) -> T:
    """What is looked for, once it is there."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)
    return found


def ask_for_grant(
    access: Access, giver: Person, reader: UUID, call: Named, *, address: str = OFFICE, **about: Any
) -> httpx.Response:
    """A grant to listen once, unless it says otherwise."""
    body = {
        "reader_id": str(reader),
        "call_id": str(call.id),
        "what": ["listen"],
        "reason": "case 7",
        **QUALITY,
        **about,
    }
    with access.client(giver.token, address=address) as client:
        return client.post("/v1/grants", json=body, headers=once())


def give(access: Access, giver: Person, reader: Person, call: Named, **about: Any) -> dict[str, Any]:
    """The grant that was made."""
    response = ask_for_grant(access, giver, reader.id, call, **about)
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    return made


def read(
    access: Access,
    who: Person,
    call: Call,
    grant: dict[str, Any] | None = None,
    *,
    what: str = "audio",
    part: str | None = None,
    address: str = OFFICE,
    **params: str,
) -> httpx.Response:
    """A read, by a grant or without one."""
    by = {"grant": grant["id"]} if grant else {}
    headers = {"Range": part} if part else {}
    with access.client(who.token, address=address) as client:
        return client.get(f"/v1/calls/{call.id}/{what}", params=QUALITY | by | params, headers=headers)


def why(response: httpx.Response) -> tuple[int, list[str]]:
    """How a read was refused."""
    return response.status_code, response.json().get("why", [])


def ask_to_break(access: Access, who: Person, **about: Any) -> httpx.Response:
    with access.client(who.token) as client:
        return client.post("/v1/break-glass", json={"reason": "a threat", **about}, headers=once())


def approve(access: Access, who: Person, glass: str, *, address: str = OFFICE) -> httpx.Response:
    with access.client(who.token, address=address) as client:
        return client.put(f"/v1/break-glass/{glass}/approval")


def broken(access: Access, asker: Person, approver: Person, **about: Any) -> dict[str, Any]:
    """Glass that was asked for and approved."""
    asked = ask_to_break(access, asker, **about)
    assert asked.status_code == 201, asked.text
    approved = approve(access, approver, asked.json()["id"])
    assert approved.status_code == 200, approved.text
    made: dict[str, Any] = approved.json()
    return made


def set_settings(access: Access, tenant: Tenant, **changes: Any) -> httpx.Response:
    """Changes some of a tenant's settings."""
    with access.client(tenant.admin) as client:
        now = client.get("/v1/settings")
        match = {"If-Match": now.headers["ETag"]}
        return client.put("/v1/settings", json=now.json() | changes, headers=match)
