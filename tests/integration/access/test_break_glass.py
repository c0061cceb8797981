"""Break-glass through the service as it runs: two people, a reason, minutes; every read under it names it."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import uuid4

import pytest

from access_calls import Call
from access_grants import approve, ask_for_grant, ask_to_break, broken, read, set_settings, why
from access_service import ELSEWHERE, Access, Person, Tenant

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]


@pytest.fixture
def call(tenant: Tenant) -> Call:
    return tenant.call(purposes=["quality", "training"])


@pytest.fixture
def agent(tenant: Tenant) -> Person:
    return tenant.person("agent", agent_ids=["a-9"])


@pytest.fixture
def officer(tenant: Tenant) -> Person:
    return tenant.person("evidence-officer")


def end(access: Access, token: str, glass: str, address: str) -> int:
    with access.client(token, address=address) as client:
        return client.delete(f"/v1/break-glass/{glass}").status_code


@pytest.mark.guarantee("R25")
@pytest.mark.guarantee("R26")
def test_two_people_open_the_calls_of_their_company_to_one_of_them_and_every_read_names_it(
    access: Access, tenant: Tenant, agent: Person, officer: Person, call: Call
) -> None:
    asked = ask_to_break(access, agent, minutes=20)
    assert (asked.status_code, asked.json()["state"]) == (201, "asked")
    glass = asked.json()["id"]
    assert read(access, agent, call).status_code == 404, "nobody has approved it yet"
    approved = approve(access, officer, glass).json()
    assert (approved["state"], approved["approved_by"]) == ("broken", str(officer.id))
    heard = read(access, agent, call)
    assert (heard.status_code, heard.content) == (200, call.audio)
    text = read(access, agent, call, what="transcript")
    for response in (heard, text):
        [opened] = access.audit.entries(entry_id=response.headers["Otokura-Entry-Id"])
        assert opened["detail"]["break_glass"] == glass
        assert opened["detail"]["policies"] == ["break-glass-calls"]
        assert opened["detail"]["question"]["break_glass"] is True
    with access.client(agent.token) as client:
        found = client.get("/v1/calls")
        assert str(call.id) in [item["id"] for item in found.json()["items"]]
        [searched] = access.audit.entries(entry_id=found.headers["Otokura-Entry-Id"])
        assert searched["detail"]["break_glass"] == glass
        assert client.get(f"/v1/calls/{call.id}").status_code == 200
    for action, who in (("break-glass.asked", agent), ("break-glass.approved", officer)):
        entry = access.audit.entry(action=action, tenant_id=str(tenant.id))
        assert (entry["reader"], entry["detail"]["glass"]) == (str(who.id), glass)
        assert (entry["detail"]["reason"], entry["detail"]["minutes"]) == ("a threat", 20)


@pytest.mark.guarantee("R26")
def test_broken_glass_lifts_no_other_limit(
    access: Access, tenant: Tenant, agent: Person, officer: Person, call: Call
) -> None:
    """Neither zones nor purposes nor tenants; nobody else has anything by it; and nothing is given on."""
    colleague, stranger = tenant.person("agent", agent_ids=["a-8"]), access.tenant()
    lead = tenant.person("supervisor", team="tokyo")
    theirs = stranger.call()
    for asker in (agent, lead):
        broken(access, asker, officer)
    assert read(access, agent, call, purpose="training").status_code == 200
    assert why(read(access, agent, call, purpose="emergency")) == (403, ["purpose-not-disclosed"])
    assert why(read(access, agent, call, address=ELSEWHERE)) == (403, ["outside-zones"])
    assert read(access, agent, theirs).status_code == 404
    assert read(access, colleague, call).status_code == 404
    assert read(access, lead, call).status_code == 200
    assert why(ask_for_grant(access, lead, colleague.id, call)) == (403, ["no-policy-permits"])
    with access.client(officer.token) as client:
        assert client.get(f"/v1/calls/{call.id}/audio", params={"purpose": "quality"}).json()["why"] == [
            "reason-required"
        ]


@pytest.mark.guarantee("R26")
def test_it_ends_with_its_minutes_and_when_somebody_ends_it(
    access: Access, tenant: Tenant, agent: Person, officer: Person, call: Call
) -> None:
    other_admin = tenant.person("admin")
    enders = (agent, ELSEWHERE), (officer, ELSEWHERE), (other_admin, ELSEWHERE)
    for count, (by, address) in enumerate(enders, 1):
        glass = broken(access, agent, officer)["id"]
        assert read(access, agent, call).status_code == 200
        assert end(access, tenant.person("supervisor").token, glass, address) == 404
        assert end(access, access.tenant().admin, glass, address) == 404
        assert end(access, by.token, glass, address) == 204
        assert end(access, by.token, glass, address) == 204
        assert read(access, agent, call).status_code == 404
        entry = access.audit.at_least(count, action="break-glass.ended", tenant_id=str(tenant.id))[-1]
        assert (entry["reader"], entry["detail"]["glass"]) == (str(by.id), glass)
    glass = broken(access, agent, officer)["id"]
    access.query("UPDATE break_glass SET until = now() WHERE id = :id", id=glass)
    assert read(access, agent, call).status_code == 404
    with access.client(agent.token) as client:
        [last, *before] = client.get("/v1/break-glass").json()["items"]
    assert (last["state"], {one["state"] for one in before}) == ("over", {"ended"})


@pytest.mark.guarantee("R26")
def test_it_ends_with_the_role_that_asked_for_it(
    access: Access, tenant: Tenant, agent: Person, officer: Person, call: Call
) -> None:
    """At the next request, though minutes are left: who may ask no more has what the other role gives."""
    glass = broken(access, agent, officer)["id"]
    assert read(access, agent, call).status_code == 200
    with access.client(tenant.admin) as client:
        for roles, heard, found in ((["analyst"], 403, 1), (["admin"], 403, None), (["agent"], 200, 1)):
            path = f"/v1/principals/{agent.id}"
            before = client.get(path)
            body = {"name": "x", "roles": roles, "team": None, "agent_ids": []}
            match = {"If-Match": before.headers["ETag"]}
            assert client.put(path, json=body, headers=match).status_code == 200
            now = replace(agent, token=access.token(agent.credentials))
            assert read(access, now, call).status_code == heard, roles
            assert read(access, now, call, what="transcript").status_code == heard, roles
            with access.client(now.token) as reader:
                listed = reader.get("/v1/calls").json()
                [one] = reader.get("/v1/break-glass").json()["items"][-1:]
            assert (one["id"], one["state"]) == (glass, "broken"), (
                "what ended is what it gives, not the minutes"
            )
            assert (len(listed["items"]) if "items" in listed else None) == found, roles


@pytest.mark.guarantee("R25")
def test_nobody_approves_their_own_whatever_they_are(access: Access, tenant: Tenant, call: Call) -> None:
    both = tenant.person("admin", roles=["admin", "supervisor"], team="tokyo")
    asked = ask_to_break(access, both)
    refused = approve(access, both, asked.json()["id"])
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:otokura:problem:own-approval")
    assert read(access, both, call).status_code == 404
    [denied] = [
        entry
        for entry in access.audit.entries(action="read.denied", reader=str(both.id))
        if entry["detail"]["action"] == "approve-break-glass"
    ]
    assert denied["detail"]["why"] == ["own-approval"]


@pytest.mark.guarantee("R25")
def test_only_who_may_asks_and_approves_and_programs_are_no_people(
    access: Access, tenant: Tenant, agent: Person, officer: Person
) -> None:
    for role in ("analyst", "auditor", "admin", "evidence-officer"):
        assert ask_to_break(access, tenant.person(role)).status_code == 403, role
    program = tenant.person("agent", kind="client")
    assert why(ask_to_break(access, program)) == (403, ["no-person"])
    glass = ask_to_break(access, agent).json()["id"]
    for role in ("agent", "supervisor", "analyst", "auditor"):
        assert why(approve(access, tenant.person(role), glass)) == (403, ["no-policy-permits"]), role
    robot = tenant.person("admin", kind="client")
    assert why(approve(access, robot, glass)) == (403, ["no-person"])
    stranger = access.tenant().person("evidence-officer")
    assert approve(access, stranger, glass).status_code == 404
    assert why(approve(access, officer, glass, address=ELSEWHERE)) == (403, ["outside-zones"])
    assert approve(access, officer, str(uuid4())).status_code == 404
    assert approve(access, officer, glass).status_code == 200


@pytest.mark.guarantee("R25")
def test_what_is_not_approved_in_time_lapses(
    access: Access, agent: Person, officer: Person, call: Call
) -> None:
    glass = ask_to_break(access, agent).json()["id"]
    again = ask_to_break(access, agent)
    assert (again.status_code, again.json()["id"]) == (409, glass)
    access.query("UPDATE break_glass SET lapses_at = now() WHERE id = :id", id=glass)
    late = approve(access, officer, glass)
    assert (late.status_code, late.json()["state"]) == (409, "lapsed")
    assert read(access, agent, call).status_code == 404
    withdrawn = ask_to_break(access, agent).json()["id"]
    with access.client(agent.token) as client:
        assert client.delete(f"/v1/break-glass/{withdrawn}").status_code == 204
    assert approve(access, officer, withdrawn).json()["state"] == "ended"


@pytest.mark.guarantee("R25")
def test_two_approvals_at_once_are_one_and_two_askings_are_one(
    access: Access, tenant: Tenant, agent: Person
) -> None:
    with ThreadPoolExecutor(8) as pool:
        asked = list(pool.map(lambda _: ask_to_break(access, agent), range(8)))
        assert Counter(response.status_code for response in asked) == {201: 1, 409: 7}
        [glass] = [response.json()["id"] for response in asked if response.status_code == 201]
        officers = [tenant.person("evidence-officer") for _ in range(4)]
        approved = list(pool.map(lambda who: approve(access, who, glass), officers))
    assert Counter(response.status_code for response in approved) == {200: 1, 409: 3}
    [first] = [response.json() for response in approved if response.status_code == 200]
    [winner] = [who for who in officers if str(who.id) == first["approved_by"]]
    again = approve(access, winner, glass)
    assert (again.status_code, again.json()["until"]) == (200, first["until"]), "no time is added"
    access.audit.entry(action="break-glass.approved", tenant_id=str(tenant.id))


@pytest.mark.guarantee("R25")
def test_the_minutes_are_bounded_by_the_companys_settings(
    access: Access, tenant: Tenant, agent: Person
) -> None:
    assert ask_to_break(access, agent, minutes=61).status_code == 422
    assert set_settings(access, tenant, break_glass_minutes=10).status_code == 200
    refused = ask_to_break(access, agent, minutes=11)
    assert (refused.status_code, "10 minutes" in refused.json()["detail"]) == (422, True)
    assert ask_to_break(access, agent, minutes=10).status_code == 201
    for minutes in (0, 481):
        assert set_settings(access, tenant, break_glass_minutes=minutes).status_code == 422


def test_people_see_what_they_asked_for_and_approvers_see_all(
    access: Access, tenant: Tenant, agent: Person, officer: Person
) -> None:
    lead = tenant.person("supervisor")
    first, second = (ask_to_break(access, who).json()["id"] for who in (agent, lead))

    def listed(token: str) -> list[str]:
        with access.client(token) as client:
            return [glass["id"] for glass in client.get("/v1/break-glass").json()["items"]]

    assert listed(agent.token) == [first]
    assert listed(lead.token) == [second]
    assert listed(officer.token) == listed(tenant.admin) == [second, first]
    assert listed(access.tenant().admin) == []
    with access.client(tenant.person("auditor").token) as client:
        assert why(client.get("/v1/break-glass")) == (403, ["no-policy-permits"])
