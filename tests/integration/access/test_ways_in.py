"""Nobody is left outside: neither by several who each take a part away at once, nor by what comes later."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from access_locks import together
from access_service import OFFICE, OFFICE_ZONE, Access, Person, Tenant, once

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]
PRINCIPALS = "SELECT 1 FROM principals WHERE tenant_id = :tenant"
ZONES = "SELECT 1 FROM zones WHERE tenant_id = :tenant"
LOCKED_OUT = "urn:otokura:problem:would-lock-you-out"


def disables(access: Access, by: Person, whom: Person) -> Callable[[], httpx.Response]:
    def ask() -> httpx.Response:
        with access.client(by.token) as client:
            return client.delete(f"/v1/principals/{whom.id}")

    return ask


def demotes(access: Access, by: Person, whom: Person) -> Callable[[], httpx.Response]:
    path, body = f"/v1/principals/{whom.id}", {"name": "Taro", "roles": ["supervisor"]}
    with access.client(by.token) as client:
        match = {"If-Match": client.get(path).headers["ETag"]}

    def ask() -> httpx.Response:
        with access.client(by.token) as client:
            return client.put(path, json=body, headers=match)

    return ask


@pytest.mark.guarantee("P18")
@pytest.mark.parametrize("acts", [(disables, disables), (demotes, demotes), (disables, demotes)])
def test_two_administrators_who_remove_each_other_at_once_are_not_both_gone(
    access: Access, tenant: Tenant, acts: tuple[Callable[..., Any], Callable[..., Any]]
) -> None:
    one, other = tenant.person("admin"), tenant.person("admin")
    with access.client(one.token) as client:
        for principal in client.get("/v1/principals").json()["items"]:
            if principal["id"] not in {str(one.id), str(other.id)}:
                assert client.delete(f"/v1/principals/{principal['id']}").status_code == 204
    asks = acts[0](access, one, other), acts[1](access, other, one)
    answers = together(access, PRINCIPALS, *asks, tenant=tenant.id)
    done = [answer.status_code for answer in answers]
    assert sorted(status < 300 for status in done) == [False, True], done
    [refused] = [answer for answer in answers if answer.status_code >= 300]
    assert (refused.status_code, "last administrator" in refused.json()["detail"]) == (409, True)
    left = one if done[0] < 300 else other
    with access.client(left.token) as client:
        assert client.get("/v1/principals").status_code == 200


@pytest.mark.guarantee("P18")
def test_an_invitation_and_an_end_at_once_do_not_wait_for_each_other_in_a_ring(
    access: Access, tenant: Tenant
) -> None:
    """One locks the person and then the company, the other whoever ends ways in, and then the person."""
    person, admin = tenant.person("supervisor"), tenant.person("admin")

    def invites() -> httpx.Response:
        with access.client(admin.token) as client:
            body = {"login": f"{person.id}@example.jp"}
            return client.post(f"/v1/principals/{person.id}/invitation", json=body, headers=once())

    asks = invites, disables(access, admin, person)
    invited, disabled = together(access, PRINCIPALS, *asks, tenant=tenant.id)
    assert (invited.status_code in {201, 409}, disabled.status_code) == (True, 204), invited.text


@pytest.mark.guarantee("P18")
def test_the_last_two_zones_are_not_deleted_at_once_unasked(access: Access, tenant: Tenant) -> None:
    with access.client(tenant.admin) as admin:
        home = {"name": "home", "networks": [f"{OFFICE}/32"]}
        assert admin.post("/v1/zones", json=home, headers=once()).status_code == 201
        zones = [zone["id"] for zone in admin.get("/v1/zones").json()["items"]]

    def deletes(zone: str) -> Callable[[], httpx.Response]:
        def ask() -> httpx.Response:
            with access.client(tenant.admin) as client:
                return client.delete(f"/v1/zones/{zone}")

        return ask

    answers = together(access, ZONES, *map(deletes, zones), tenant=tenant.id)
    assert sorted(answer.status_code for answer in answers) == [204, 409]
    [refused] = [answer for answer in answers if answer.status_code == 409]
    assert refused.json()["type"] == LOCKED_OUT
    with access.client(tenant.admin) as admin:
        assert len(admin.get("/v1/zones").json()["items"]) == 1


@pytest.mark.guarantee("P18")
def test_a_zone_that_ends_later_is_asked_about_like_one_that_ends_now(access: Access, tenant: Tenant) -> None:
    soon = (datetime.now(UTC) + timedelta(minutes=10)).isoformat()
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    with access.client(tenant.admin) as admin:
        [office] = admin.get("/v1/zones").json()["items"]
        path = f"/v1/zones/{office['id']}"

        def change(*, confirm: bool = False, **times: str) -> httpx.Response:
            match = {"If-Match": admin.get(path).headers["ETag"]}
            body = {"networks": [OFFICE_ZONE], **times}
            return admin.put(path, json=body, headers=match, params={"confirm": confirm})

        refused = change(valid_until=soon)
        assert (refused.status_code, refused.json()["type"]) == (409, LOCKED_OUT)
        assert admin.get(path).json()["valid_until"] is None
        # A zone that takes over when the office ends is enough; its own end is asked about then.
        home = {"name": "home", "networks": [f"{OFFICE}/32"], "valid_from": soon}
        made = admin.post("/v1/zones", json=home, headers=once()).json()
        assert change(valid_until=later).status_code == 200
        assert admin.delete(f"/v1/zones/{made['id']}").json()["type"] == LOCKED_OUT
        assert change(valid_until=soon).status_code == 200
        assert change().status_code == 200, "what is in force for longer is not asked about"
        assert admin.delete(f"/v1/zones/{made['id']}").status_code == 204
        assert change(valid_until=soon).status_code == 409
        assert change(valid_until=soon, confirm=True).status_code == 200
