"""Holds, erasures and retention over HTTP, on a running access service."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

import customer as company
from access_calls import Call
from access_service import ELSEWHERE, Access, Person, Tenant, once
from customer_numbers import number_of
from otokura.shared.ids import uuid7

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]
PURPOSE = {"purpose": "quality", "reason": "case 118"}
NUMBER = "+81 3-1234-5678"


@pytest.fixture
def officer(tenant: Tenant) -> Person:
    return tenant.person("evidence-officer")


def client_of(access: Access, person: Person, **where: Any) -> httpx.Client:
    return access.client(person.token, **where)


def hold(client: httpx.Client, call: Call, **body: Any) -> httpx.Response:
    told = {"reason": "訴訟に備えて", "case_number": "R8-118", **body}
    return client.post(f"/v1/calls/{call.id}/holds", json=told, headers=once())


def ask(client: httpx.Client, **body: Any) -> httpx.Response:
    told = {"ground": "cease-use", "reason": "受付 2026-118", **body}
    return client.post("/v1/erasures", json=told, headers=once())


def until(client: httpx.Client, erasure_id: str, state: str, count: int = 1) -> dict[str, Any]:
    """The erasure, once so many of its calls are in a state."""
    deadline = time.monotonic() + 60
    while True:
        view: dict[str, Any] = client.get(f"/v1/erasures/{erasure_id}").json()
        if view[state] == count:
            return view
        assert time.monotonic() < deadline, view
        time.sleep(0.1)


@pytest.mark.guarantee("Z1")
@pytest.mark.guarantee("Z2")
def test_a_held_call_waits_and_then_nothing_of_it_is_read(
    access: Access, tenant: Tenant, officer: Person
) -> None:
    call = tenant.call()
    with client_of(access, officer) as client:
        held = hold(client, call)
        assert held.status_code == 201, held.text
        asked = ask(client, call_ids=[str(call.id)])
        assert asked.status_code == 201, asked.text
        erasure_id = asked.json()["id"]
        until(client, erasure_id, "waiting")
        time.sleep(2)
        assert client.get(f"/v1/calls/{call.id}/audio", params=PURPOSE).status_code == 200
        [item] = client.get(f"/v1/erasures/{erasure_id}/calls").json()["items"]
        assert (item["state"], item["waits_for"]) == ("waiting", "held")
        lifted = client.post(f"/v1/calls/{call.id}/holds/{held.json()['id']}/lift", json={"reason": "結審"})
        assert lifted.json()["lifted_because"] == "結審"
        until(client, erasure_id, "erasing")
        access.apply(*call.events)
        for path in ("", "/audio", "/transcript", "/transcripts", "/holds"):
            response = client.get(f"/v1/calls/{call.id}{path}", params=PURPOSE)
            assert response.status_code == 404, (path, response.text)
        assert hold(client, call).status_code == 404
        listed = client.get("/v1/calls").json()["items"]
        assert str(call.id) not in [item["id"] for item in listed]
    begun = access.audit.entry(action="erasure.begun", call_id=str(call.id))
    assert (begun["reader"], begun["detail"]["ground"]) == (None, "cease-use")
    requested = access.audit.entry(action="erasure.requested", tenant_id=str(tenant.id))
    assert (requested["reader"], requested["detail"]["reason"]) == (str(officer.id), "受付 2026-118")
    for action in ("hold.set", "hold.lifted"):
        assert access.audit.entry(action=action, call_id=str(call.id))["reader"] == str(officer.id)


def test_access_confirms_its_own_part(access: Access, tenant: Tenant, officer: Person) -> None:
    call = tenant.call()
    with client_of(access, officer) as client:
        erasure_id = ask(client, call_ids=[str(call.id)]).json()["id"]
        deadline = time.monotonic() + 60
        while True:
            [item] = client.get(f"/v1/erasures/{erasure_id}/calls").json()["items"]
            if item["confirmations"] or time.monotonic() > deadline:
                break
            time.sleep(0.1)
    [confirmation] = item["confirmations"]
    assert confirmation["service"] == "access"
    assert confirmation["counts"]["call_keys"] == 1
    assert confirmation["counts"]["transcript_versions"] == 1


@pytest.mark.guarantee("L9")
def test_a_customer_is_found_by_number_and_previewed(access: Access, tenant: Tenant, officer: Person) -> None:
    mine, other, held = tenant.call(), tenant.call(), tenant.call()
    for call, number in ((mine, NUMBER), (other, "+81999"), (held, NUMBER)):
        number_of(access, call, number)
    customer = {"numbers": ["+81312345678"]}
    with client_of(access, officer) as client:
        assert hold(client, held).status_code == 201
        preview = client.post("/v1/erasures/preview", json={"customer": customer})
        assert preview.status_code == 200, preview.text
        waits = {call["call_id"]: call["waits_for"] for call in preview.json()["calls"]}
        [shown] = access.audit.entries(entry_id=preview.headers["Otokura-Entry-Id"])
        assert set(shown["detail"]["calls"]) == set(waits)
        assert waits == {str(mine.id): None, str(held.id): "held"}
        before = {"customer": customer | {"until": "2020-01-01T00:00:00Z"}}
        assert client.post("/v1/erasures/preview", json=before).json()["calls"] == []
        assert ask(client, **before).status_code == 422
        erasure = ask(client, customer=customer).json()
        assert (erasure["selected_by"], erasure["waiting"]) == ("customer", 2)
        until(client, erasure["id"], "erasing")
        assert client.get(f"/v1/calls/{other.id}").status_code == 200
    looked = access.audit.entries(
        action="customer.searched", tenant_id=str(tenant.id), reader=str(officer.id)
    )
    assert len(looked) == 4  # each is written before anything is opened, so all of them are there
    assert "12345678" not in json.dumps(looked)


def test_a_repeated_request_erases_once_and_a_withdrawn_one_nothing(
    access: Access, tenant: Tenant, officer: Person
) -> None:
    call = tenant.call()
    body = {"ground": "not-needed", "reason": "r", "call_ids": [str(call.id)]}
    headers = once()
    with client_of(access, officer) as client:
        assert hold(client, call).status_code == 201
        first, again = (client.post("/v1/erasures", json=body, headers=headers) for _ in range(2))
        assert first.json() == again.json()
        assert len(client.get("/v1/erasures").json()["items"]) == 1
        withdrawn = client.delete(f"/v1/erasures/{first.json()['id']}")
        assert withdrawn.json()["withdrawn"] == 1
        assert client.delete(f"/v1/erasures/{first.json()['id']}").status_code == 409
        assert client.delete(f"/v1/erasures/{uuid7()}").status_code == 404


def test_a_call_that_only_the_tenants_own_key_opens_is_not_passed_over(
    access: Access, tenant: Tenant, officer: Person
) -> None:
    """Whose it is cannot be read here. Who looks for a person's calls must learn that there are more."""
    mine, held = tenant.call(), tenant.call(customer_key=company.public_pem())
    number_of(access, mine, NUMBER)
    assert access.query("SELECT 1 FROM call_keys WHERE call_id = :id", id=held.id) == []
    access.query("UPDATE calls SET personal = 'ciphertext' WHERE call_id = :id", id=held.id)
    with client_of(access, officer) as client:
        body = {"customer": {"numbers": [NUMBER]}}
        preview = client.post("/v1/erasures/preview", json=body).json()
        assert ([call["call_id"] for call in preview["calls"]], preview["unreadable"]) == ([str(mine.id)], 1)
        nobody = ask(client, customer={"numbers": ["+81999"]})
        assert (nobody.status_code, nobody.json()["unreadable"]) == (422, 1)
        erasure = ask(client, call_ids=[str(held.id)]).json()
        until(client, erasure["id"], "erasing")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"call_ids": []},
        {"call_ids": ["x"]},
        {"customer": {"numbers": []}},
        {"customer": {"numbers": ["name@example"]}},
        {"call_ids": ["019e0000-0000-7000-8000-000000000000"], "ground": "retention"},
        {"call_ids": ["019e0000-0000-7000-8000-000000000000"], "reason": " "},
        {"call_ids": ["019e0000-0000-7000-8000-000000000000"]},
    ],
)
def test_what_cannot_be_erased_is_refused_in_words(
    access: Access, officer: Person, body: dict[str, Any]
) -> None:
    with client_of(access, officer) as client:
        response = ask(client, **body)
    assert response.status_code == 422, response.text
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.guarantee("Z8")
def test_nobody_else_holds_or_erases(access: Access, tenant: Tenant, officer: Person) -> None:
    call = tenant.call()
    stranger = access.tenant().person("evidence-officer")
    people = [tenant.person(role) for role in ("supervisor", "agent", "analyst", "auditor")]
    people.append(Person(UUID(int=0), {}, tenant.admin))
    for person in people:
        with client_of(access, person) as client:
            assert hold(client, call).status_code in {403, 404}
            assert ask(client, call_ids=[str(call.id)]).status_code == 403
            assert client.get("/v1/erasures").status_code == 403
    with client_of(access, stranger) as client:
        assert hold(client, call).status_code == 404
        assert ask(client, call_ids=[str(call.id)]).status_code == 422
    with client_of(access, officer, address=ELSEWHERE) as client:
        assert hold(client, call).status_code == 403
        assert ask(client, call_ids=[str(call.id)]).status_code == 403
    with client_of(access, officer) as client:
        erasure_id = ask(client, call_ids=[str(call.id)]).json()["id"]
    with client_of(access, stranger) as client:
        for path in ("", "/calls"):
            assert client.get(f"/v1/erasures/{erasure_id}{path}").status_code == 404


@pytest.mark.guarantee("Z5")
def test_retention_is_changed_by_who_has_seen_it(access: Access, tenant: Tenant, officer: Person) -> None:
    with access.client(tenant.admin) as client:
        read = client.get("/v1/retention")
        assert (read.status_code, read.json()["call"]["max_days"]) == (200, None)
        rules = {"recording": {"max_days": 180}, "call": {"min_days": 30, "max_days": 1095}}
        assert client.put("/v1/retention", json=rules).status_code == 428
        match = {"If-Match": read.headers["ETag"]}
        changed = client.put("/v1/retention", json=rules, headers=match)
        assert (changed.status_code, changed.json()["recording"]["max_days"]) == (200, 180)
        assert client.put("/v1/retention", json=rules, headers=match).status_code == 412
        wrong = {"recording": {"max_days": 2000}, "call": {"max_days": 1095}}
        match = {"If-Match": changed.headers["ETag"]}
        assert client.put("/v1/retention", json=wrong, headers=match).status_code == 422
        settings = client.get("/v1/settings")
        told = settings.json() | {"retention_days": 90}
        assert (
            client.put("/v1/settings", json=told, headers={"If-Match": settings.headers["ETag"]}).status_code
            == 200
        )
        assert client.put("/v1/retention", json=rules, headers=match).status_code == 422
    with client_of(access, officer) as client:
        assert client.get("/v1/retention").status_code == 403
    entry = access.audit.entry(action="retention.changed", tenant_id=str(tenant.id))
    assert entry["detail"]["after"]["call"] == {"min_days": 30, "max_days": 1095}


def test_a_hold_that_keeps_nothing_is_refused(access: Access, tenant: Tenant, officer: Person) -> None:
    call = tenant.call()
    with client_of(access, officer) as client:
        past = (datetime.now(UTC) - timedelta(days=1)).isoformat()
        assert hold(client, call, ends_at=past).status_code == 422
        assert hold(client, call, reason="").status_code == 422
        first = hold(client, call)
        assert first.status_code == 201
        lift = f"/v1/calls/{call.id}/holds/{first.json()['id']}/lift"
        assert client.post(lift, json={"reason": "over"}).status_code == 200
        assert client.post(lift, json={"reason": "over"}).status_code == 409
        [shown] = client.get(f"/v1/calls/{call.id}/holds").json()["items"]
        assert shown["lifted_by"] == str(officer.id)
