"""Keys and secrets that change, and limits: what is told to ingest, and what is written down."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from access_service import Access, Tenant, once
from otokura.shared.api_keys import hash_api_key, parse

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]
FUTURE = "2999-01-01T00:00:00Z"


def told(access: Access, client_id: str) -> list[dict[str, Any]]:
    """What ingest is told of a client, oldest first."""
    query = "SELECT data::json AS data FROM outbox WHERE type = :kind AND key = :id ORDER BY id"
    return [row.data for row in access.query(query, kind="otokura.client.updated.v1", id=client_id)]


@pytest.fixture
def vendor(tenant: Tenant) -> dict[str, Any]:
    created: dict[str, Any] = tenant.create("vendor", kind="client").json()
    return created


@pytest.fixture
def admin(access: Access, tenant: Tenant, vendor: dict[str, Any]) -> Any:
    """The administrator, at the place of the vendor's client."""
    with access.client(tenant.admin) as client:
        client.base_url = f"{access.url}/v1/principals/{vendor['id']}/"
        yield client


@pytest.mark.guarantee("W5")
def test_a_vendor_changes_its_key_in_three_steps(
    access: Access, tenant: Tenant, vendor: dict[str, Any], admin: httpx.Client
) -> None:
    """Both keys are told while both live, then the new one alone: no moment is without a key."""
    made = admin.post("keys", json={}, headers=once())
    assert made.status_code == 201, made.text
    new = made.json()["api_key"]
    assert str(parse(new)) == vendor["id"]
    first, second = admin.get("keys").json()["items"]
    assert second["id"] == made.json()["id"]
    for _ in range(2):
        assert admin.delete(f"keys/{first['id']}").status_code == 204
    hashes = [hash_api_key(vendor["api_key"]), hash_api_key(new)]
    events = told(access, vendor["id"])
    assert [event["version"] for event in events] == [1, 2, 3]
    keys = [[key["sha256"] for key in event["api_keys"]] for event in events]
    assert keys == [hashes[:1], hashes, hashes[1:]]
    assert [event["api_key_sha256"] for event in events] == [hashes[0], hashes[0], hashes[1]]
    for action, key in (("key.created", second), ("key.withdrawn", first)):
        entry = access.audit.entry(action=action, tenant_id=str(tenant.id))
        assert entry["detail"]["principal"]["key"] == key["id"]


def test_no_key_is_shown_twice_or_kept(access: Access, admin: httpx.Client) -> None:
    headers = once()
    first = admin.post("keys", json={}, headers=headers).json()
    second = admin.post("keys", json={}, headers=headers).json()
    assert (second["id"], second["api_key"]) == (first["id"], None)
    assert all("api_key" not in item for item in admin.get("keys").json()["items"])
    tables = ("api_keys", "outbox", "idempotency_keys", "principals")
    for table in tables:
        rows = access.query(f"SELECT t::text AS row FROM {table} t")  # noqa: S608 - our own names
        assert not any(first["api_key"] in row.row for row in rows), table
    assert first["api_key"] not in access.log_text()


def test_a_client_has_two_living_keys_at_most(admin: httpx.Client) -> None:
    assert admin.post("keys", json={"expires_at": FUTURE}, headers=once()).status_code == 201
    third = admin.post("keys", json={}, headers=once())
    assert (third.status_code, "withdraw" in third.json()["detail"]) == (409, True)


def test_an_expired_key_makes_room(access: Access, vendor: dict[str, Any], admin: httpx.Client) -> None:
    made = admin.post("keys", json={"expires_at": FUTURE}, headers=once()).json()
    access.query("UPDATE api_keys SET expires_at = now() WHERE id = CAST(:id AS uuid)", id=made["id"])
    assert admin.post("keys", json={}, headers=once()).status_code == 201
    assert len(told(access, vendor["id"])[-1]["api_keys"]) == 2


@pytest.mark.parametrize(
    "body", [{"expires_at": "2020-01-01T00:00:00Z"}, {"expires_at": "2999-01-01T00:00:00"}, {"name": "x"}]
)
def test_keys_that_cannot_be_are_refused(admin: httpx.Client, body: dict[str, Any]) -> None:
    assert admin.post("keys", json=body, headers=once()).status_code == 422


@pytest.mark.guarantee("R3")
def test_only_the_own_administrator_reaches_a_vendors_keys(
    access: Access, tenant: Tenant, vendor: dict[str, Any], admin: httpx.Client
) -> None:
    where = f"/v1/principals/{vendor['id']}"
    [key] = admin.get("keys").json()["items"]
    stranger, supervisor = access.tenant(), tenant.person("supervisor")
    for token, status in ((stranger.admin, 404), (supervisor.token, 403)):
        with access.client(token) as client:
            answers = [
                client.get(f"{where}/keys"),
                client.post(f"{where}/keys", json={}, headers=once()),
                client.delete(f"{where}/keys/{key['id']}"),
                client.post(f"{where}/secret", json={}, headers=once()),
                client.get(f"{where}/limits"),
                client.put(f"{where}/limits", json={}),
            ]
        assert [answer.status_code for answer in answers] == [status] * 6
    assert admin.delete(f"keys/{uuid4()}").status_code == 404
    assert len(told(access, vendor["id"])) == 1


def test_only_a_vendors_client_that_is_not_disabled_has_keys_and_limits(
    access: Access, tenant: Tenant, vendor: dict[str, Any]
) -> None:
    person = tenant.create("supervisor").json()
    with access.client(tenant.admin) as client:
        assert client.delete(f"/v1/principals/{vendor['id']}").status_code == 204
        for principal in (person["id"], vendor["id"]):
            where = f"/v1/principals/{principal}"
            assert client.post(f"{where}/keys", json={}, headers=once()).status_code == 409
            assert client.put(f"{where}/limits", json={}).status_code == 409
        where = f"/v1/principals/{vendor['id']}/secret"
        assert client.post(where, json={}, headers=once()).status_code == 409


@pytest.mark.guarantee("R10")
def test_a_changed_secret_ends_the_old_one_and_its_tokens(access: Access, tenant: Tenant) -> None:
    """At once, in the second in which it is changed; a token for the new one is good in that second."""
    person = tenant.person("supervisor")
    where = f"/v1/principals/{person.id}/secret"
    with access.client(tenant.admin) as client:
        changed = client.post(where, json={}, headers=once())
    assert changed.status_code == 201, changed.text
    with access.client(person.token) as client:
        assert client.get("/v1/calls").status_code == 401
    old = {"grant_type": "client_credentials"} | {
        k: person.credentials[k] for k in ("client_id", "client_secret")
    }
    assert httpx.post(f"{access.url}/oauth2/token", data=old).status_code == 401
    with access.client(access.token(changed.json())) as client:
        assert client.get("/v1/calls").status_code == 200
    rows = access.query("SELECT data::json AS data FROM outbox WHERE type = 'otokura.token.revoked.v1'")
    assert str(person.id) in {row.data["subject"] for row in rows}
    entry = access.audit.entry(action="secret.changed", tenant_id=str(tenant.id))
    assert entry["detail"]["principal"] == {
        "id": str(person.id), "name": person.credentials["name"], "old_secret_until": None,
    }  # fmt: skip


@pytest.mark.guarantee("W5")
def test_with_an_overlap_both_secrets_are_good_until_it_ends(
    access: Access, vendor: dict[str, Any], admin: httpx.Client
) -> None:
    before = access.token(vendor)
    changed = admin.post("secret", json={"overlap_seconds": 60}, headers=once()).json()
    assert changed["client_secret"] != vendor["client_secret"]
    assert access.token(vendor)
    assert access.token(changed)
    with access.client(before) as client:
        assert client.get("/v1/calls").status_code == 403  # known, and not one who reads
    [left] = access.query(
        "SELECT extract(epoch FROM old_secret_until - now()) AS seconds FROM principals WHERE id = :id",
        id=vendor["id"],
    )
    assert 0 < left.seconds <= 60
    access.query("UPDATE principals SET old_secret_until = now() WHERE id = :id", id=vendor["id"])
    form = {"grant_type": "client_credentials"} | {k: vendor[k] for k in ("client_id", "client_secret")}
    refused = httpx.post(f"{access.url}/oauth2/token", data=form)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    assert access.token(changed)


def test_limits_are_told_and_written_down(
    access: Access, tenant: Tenant, vendor: dict[str, Any], admin: httpx.Client
) -> None:
    nothing = {"calls": None, "requests_per_minute": None, "upload_bytes_per_hour": None}
    assert admin.get("limits").json() == nothing
    wanted = nothing | {"calls": 0, "requests_per_minute": 60}
    assert admin.put("limits", json=wanted).json() == wanted
    assert admin.get("limits").json() == wanted
    assert [event["limits"] for event in told(access, vendor["id"])] == [nothing, wanted]
    detail = access.audit.entry(action="limits.changed", tenant_id=str(tenant.id))["detail"]["principal"]
    assert (detail["before"], detail["limits"]) == ({}, wanted)
    for wrong in ({"calls": -1}, {"requests_per_minute": 0}, {"bytes": 1}, {"upload_bytes_per_hour": 1e30}):
        assert admin.put("limits", json=wrong).status_code == 422
