"""A person's calls are found in whichever notation their number was stored, and asked for, over HTTP."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import httpx
import pytest

from access_calls import Call
from access_service import Access, Person, Tenant, once
from customer_numbers import number_of

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]
THEIRS = [
    "+81312345678",
    "0312345678",
    "03-1234-5678",
    "０３－１２３４－５６７８",
    "tel:+81-3-1234-5678",
    "sip:+81312345678@pbx.example;user=phone",
]
PERHAPS = ["81312345678", "1234-5678"]
POSSIBLE = "urn:otokura:problem:possible-matches"
OTHERS = ["0312345679", "+14155552671", "anonymous"]


@pytest.fixture
def officer(tenant: Tenant) -> Person:
    return tenant.person("evidence-officer")


def calls_of(access: Access, tenant: Tenant, numbers: Iterable[str]) -> set[str]:
    """A call of each."""
    made: list[Call] = []
    for number in numbers:
        made.append(tenant.call())
        number_of(access, made[-1], number)
    return {str(call.id) for call in made}


def ids(calls: list[dict[str, Any]]) -> set[str]:
    return {call["call_id"] for call in calls}


def erase(client: httpx.Client, **customer: Any) -> httpx.Response:
    body = {"customer": customer, "ground": "cease-use", "reason": "受付 2026-118"}
    return client.post("/v1/erasures", json=body, headers=once())


def give(client: httpx.Client, **customer: Any) -> httpx.Response:
    return client.post("/v1/exports", json={"customer": customer, "reason": "開示のご請求"})


@pytest.mark.guarantee("Z11")
def test_whose_calls_are_erased_does_not_hang_on_the_notation(
    access: Access, tenant: Tenant, officer: Person
) -> None:
    theirs, perhaps = calls_of(access, tenant, THEIRS), calls_of(access, tenant, PERHAPS)
    others = calls_of(access, tenant, OTHERS)
    with access.client(officer.token) as client:
        for asked in [*THEIRS, "+81 (0)3 1234 5678", "TEL:+81312345678", "sip:0312345678@other.example"]:
            preview = client.post("/v1/erasures/preview", json={"customer": {"numbers": [asked]}})
            assert preview.status_code == 200, preview.text
            found = preview.json()
            assert (ids(found["calls"]), ids(found["possible"]), found["unreadable"]) == (theirs, perhaps, 0)
        refused = erase(client, numbers=["0312345678"])
        assert (refused.status_code, refused.json()["possible"]) == (422, len(PERHAPS))
        assert refused.json()["type"] == POSSIBLE
        assert client.get("/v1/erasures").json()["items"] == []
        left = erase(client, numbers=["0312345678"], possible="leave")
        assert left.status_code == 201, left.text
        looked = access.audit.entry(entry_id=left.headers["Otokura-Entry-Id"])
        assert looked["action"] == "customer.searched"
        items = client.get(f"/v1/erasures/{left.json()['id']}/calls").json()["items"]
        assert ids(items) == theirs
        entry = access.audit.entry(action="erasure.requested", tenant_id=str(tenant.id))
        assert (entry["detail"]["possible"], entry["detail"]["possible_were"]) == (len(PERHAPS), "leave")
        for call_id in others:
            assert client.get(f"/v1/calls/{call_id}").status_code == 200


@pytest.mark.guarantee("Z11")
def test_what_may_be_theirs_is_erased_when_that_is_said(
    access: Access, tenant: Tenant, officer: Person
) -> None:
    every = calls_of(access, tenant, [THEIRS[0], *PERHAPS])
    with access.client(officer.token) as client:
        included = erase(client, numbers=["03-1234-5678"], possible="include")
        assert included.status_code == 201, included.text
        assert ids(client.get(f"/v1/erasures/{included.json()['id']}/calls").json()["items"]) == every


@pytest.mark.guarantee("Z11")
def test_a_person_is_given_their_calls_in_every_notation(
    access: Access, tenant: Tenant, officer: Person
) -> None:
    theirs, perhaps = calls_of(access, tenant, THEIRS), calls_of(access, tenant, PERHAPS)
    calls_of(access, tenant, OTHERS)
    with access.client(officer.token) as client:
        refused = give(client, numbers=["tel:+81312345678"])
        assert (refused.status_code, refused.json()["type"]) == (422, POSSIBLE)
        assert access.audit.entries(action="disclosure.opened", tenant_id=str(tenant.id)) == []
        for possible, given in (("leave", theirs), ("include", theirs | perhaps)):
            response = give(client, numbers=["tel:+81312345678"], possible=possible)
            assert response.status_code == 200, response.text
            [opened] = access.audit.entries(entry_id=response.headers["Otokura-Entry-Id"])
            assert set(opened["detail"]["calls"]) == given


@pytest.mark.guarantee("Z11")
def test_an_internal_call_with_the_persons_number_is_theirs(
    access: Access, tenant: Tenant, officer: Person
) -> None:
    call = tenant.call(direction="internal")
    number_of(access, call, "2041")
    with access.client(officer.token) as client:
        body = {"customer": {"numbers": ["0120-000-000"]}}
        assert ids(client.post("/v1/erasures/preview", json=body).json()["calls"]) == {str(call.id)}
