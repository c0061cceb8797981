"""Grants as an attacker would use them: of another tenant, forged, for more than they give, from outside."""

from __future__ import annotations

from itertools import product
from typing import Any
from uuid import UUID, uuid4

import pytest

from access_calls import Call
from access_grants import QUALITY, give, read, why
from access_service import ELSEWHERE, OFFICE, Access, Person, Tenant
from redacted_calls import flac, noise, recorded

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]
SAID = noise(20)
VIEWS = {
    "listen": ("audio", {}),
    "listen-redacted": ("audio", {"view": "redacted"}),
    "read-transcript": ("transcript", {}),
    "read-redacted": ("transcript", {"view": "redacted"}),
}


@pytest.fixture
def call(tenant: Tenant) -> Call:
    return recorded(tenant, flac(SAID), [(1, 1000, 2000)], samples=len(SAID))


@pytest.fixture
def lead(tenant: Tenant) -> Person:
    return tenant.person("supervisor")


@pytest.fixture
def agent(tenant: Tenant) -> Person:
    return tenant.person("agent", agent_ids=["a-9"])


@pytest.mark.guarantee("R3")
@pytest.mark.guarantee("R20")
def test_a_grant_of_another_tenant_opens_nothing_whoever_tries_it(
    access: Access, lead: Person, agent: Person, call: Call
) -> None:
    other = access.tenant()
    theirs, their_lead, their_agent = other.call(), other.person("supervisor"), other.person("agent")
    grant, foreign = give(access, lead, agent, call), give(access, their_lead, their_agent, theirs)
    fitting = [(agent, call, grant), (their_agent, theirs, foreign)]
    for tried in product((agent, their_agent, lead, their_lead), (call, theirs), (grant, foreign)):
        answer = read(access, *tried)
        if tried in fitting:
            assert answer.status_code == 200
        else:
            assert why(answer) == (404, [])
            assert answer.json()["detail"] == "There is no such call."


@pytest.mark.guarantee("R6")
@pytest.mark.guarantee("R20")
def test_forged_ids_are_told_like_absence(access: Access, lead: Person, agent: Person, call: Call) -> None:
    grant = give(access, lead, agent, call)
    near = [str(UUID(int=UUID(grant["id"]).int ^ bit)) for bit in (1, 1 << 64, 1 << 127)]
    answers = [read(access, agent, call, {"id": forged}) for forged in [*near, str(uuid4()), str(call.id)]]
    nowhere = read(access, agent, call)
    told = {(one.status_code, one.json()["type"], one.json()["detail"]) for one in [*answers, nowhere]}
    assert told == {(404, "urn:otokura:problem:not-found", "There is no such call.")}
    for wrong in ("", "1", "null", f"{grant['id']}'--", "../grants", "*"):
        assert read(access, agent, call, {"id": wrong}).status_code == 422, wrong
    assert read(access, agent, call, grant).status_code == 200


@pytest.mark.guarantee("R20")
def test_each_form_that_is_given_opens_that_form_and_no_other(
    access: Access, lead: Person, agent: Person, call: Call
) -> None:
    for given in VIEWS:
        grant = give(access, lead, agent, call, what=[given], listenings=10)
        for form, (path, params) in VIEWS.items():
            answer = read(access, agent, call, grant, what=path, **params)
            if form == given:
                assert answer.status_code == 200, (given, form)
            else:
                assert why(answer) == (403, ["beyond-the-grant"]), (given, form)


@pytest.mark.guarantee("R2")
@pytest.mark.guarantee("R20")
@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": f"{OFFICE}, {ELSEWHERE}"},
        {"X-Forwarded-For": f"{ELSEWHERE}, garbage"},
        {"X-Forwarded-For": f"::ffff:{ELSEWHERE}"},
        {"X-Forwarded-For": f"{OFFICE}:443"},
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Forwarded-For": ELSEWHERE, "Forwarded": f"for={OFFICE}", "X-Real-IP": OFFICE},
        {"X-Forwarded-For": ELSEWHERE, "True-Client-IP": OFFICE, "X-Client-IP": OFFICE},
        {},
    ],
)
def test_no_header_moves_a_grants_reader_into_the_zone(
    access: Access, lead: Person, agent: Person, call: Call, headers: dict[str, str]
) -> None:
    grant = give(access, lead, agent, call, zones=["office"])
    with access.client(agent.token, address=None) as client:
        answer = client.get(
            f"/v1/calls/{call.id}/audio", params=QUALITY | {"grant": grant["id"]}, headers=headers
        )
    assert answer.status_code in (403, 404)
    assert not access.audit.entries(action="read.opened", call_id=str(call.id))
    with access.client(agent.token, peer="127.0.0.5", address=OFFICE) as client:
        answer = client.get(f"/v1/calls/{call.id}/audio", params=QUALITY | {"grant": grant["id"]})
    assert answer.status_code == 403, "a peer that is no proxy of ours is not believed"
    [row] = access.query("SELECT used FROM grants WHERE id = :id", id=grant["id"])
    assert row.used == 0


@pytest.mark.guarantee("R20")
@pytest.mark.parametrize("body", [
    {"tenant_id": str(uuid4())},
    {"given_by": str(uuid4())},
    {"used": -5},
    {"expires_at": "2099-01-01T00:00:00Z"},
    {"url": "https://example.com"},
    {"listenings": 10**12},
    {"minutes": 1e9},
    {"zones": ["office", {"networks": ["0.0.0.0/0"]}]},
    {"start_ms": -(10**9), "end_ms": 10**18},
    {"reader_id": "me"},
])  # fmt: skip
def test_a_grant_takes_nothing_that_is_not_the_givers_to_say(
    access: Access, lead: Person, agent: Person, call: Call, body: dict[str, Any]
) -> None:
    whole = {
        "reader_id": str(agent.id),
        "call_id": str(call.id),
        "what": ["listen"],
        "reason": "x",
        **QUALITY,
        **body,
    }
    with access.client(lead.token) as client:
        answer = client.post("/v1/grants", json=whole, headers={"Idempotency-Key": str(uuid4())})
    assert answer.status_code == 422
    assert not access.query("SELECT 1 FROM grants WHERE call_id = :id", id=call.id)
