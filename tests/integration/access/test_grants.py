"""Grants through the service as it runs: who gives what to whom, who reads by it, what is written down."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from access_calls import Call
from access_grants import ask_for_grant, give, read, why
from access_service import ELSEWHERE, OFFICE, Access, Person, Tenant, once
from otokura.shared.ids import uuid7

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]


@pytest.fixture
def call(tenant: Tenant) -> Call:
    return tenant.call()


@pytest.fixture
def lead(tenant: Tenant) -> Person:
    return tenant.person("supervisor")


@pytest.fixture
def agent(tenant: Tenant) -> Person:
    return tenant.person("agent", agent_ids=["a-9"])


@pytest.mark.guarantee("R20")
@pytest.mark.guarantee("R24")
def test_a_grant_opens_one_call_to_one_person_and_every_step_is_written_down(
    access: Access, lead: Person, agent: Person, call: Call
) -> None:
    assert why(read(access, agent, call)) == (404, [])
    grant = give(access, lead, agent, call)
    assert (grant["state"], grant["used"], grant["listenings"]) == ("open", 0, 1)
    made = access.audit.entry(action="grant.made", call_id=str(call.id))
    assert made["reader"] == str(lead.id)
    assert made["detail"]["grant"]["id"] == grant["id"]
    assert made["detail"]["grant"]["reader_id"] == str(agent.id)
    assert why(read(access, agent, call)) == (404, []), "a grant that is not named opens nothing"
    heard = read(access, agent, call, grant)
    assert (heard.status_code, heard.content) == (200, call.audio)
    used = access.audit.entry(action="grant.used", call_id=str(call.id))
    assert used["reader"] == str(agent.id)
    assert (used["detail"]["grant"], used["detail"]["use"], used["detail"]["of"]) == (grant["id"], 1, 1)
    assert used["detail"]["read_id"] == heard.headers["Otokura-Read-Id"]
    [opened] = access.audit.entries(entry_id=heard.headers["Otokura-Entry-Id"])
    assert opened["detail"]["grant"] == grant["id"]
    assert opened["detail"]["policies"] == ["granted-call"]
    assert opened["detail"]["question"]["grant"]["id"] == grant["id"]
    with access.client(lead.token) as client:
        [listed] = client.get("/v1/grants", params={"call_id": str(call.id)}).json()["items"]
    assert (listed["state"], listed["used"]) == ("spent", 1)
    assert "http" not in str(listed), "no address of anything"


@pytest.mark.guarantee("R20")
def test_a_grant_is_for_its_person_call_form_and_purpose(
    access: Access, tenant: Tenant, lead: Person, agent: Person
) -> None:
    call, other = tenant.call(purposes=["quality", "training"]), tenant.call()
    colleague = tenant.person("agent", agent_ids=["a-8"])
    grant = give(access, lead, agent, call, what=["listen", "read-transcript"], listenings=5)
    assert read(access, agent, call, grant, what="transcript").status_code == 200
    assert why(read(access, agent, call, grant, view="redacted")) == (403, ["beyond-the-grant"])
    redacted = read(access, agent, call, grant, what="transcript", view="redacted")
    assert why(redacted) == (403, ["beyond-the-grant"])
    assert why(read(access, agent, call, grant, purpose="training")) == (403, ["beyond-the-grant"])
    assert why(read(access, agent, other, grant)) == (404, [])
    assert why(read(access, colleague, call, grant)) == (404, [])
    assert why(read(access, agent, call, grant, address=ELSEWHERE)) == (403, ["outside-zones"])
    with access.client(agent.token) as client:
        assert client.get(f"/v1/calls/{call.id}").status_code == 404, "it gives content, and no list of calls"
        assert client.get("/v1/calls").json()["items"] == []
    unknown = [e["detail"]["why"] for e in access.audit.entries(action="read.denied", reader=str(agent.id))]
    assert ["no-such-grant"] in unknown


@pytest.mark.guarantee("R20")
def test_who_names_a_grant_reads_by_it_alone(
    access: Access, tenant: Tenant, lead: Person, call: Call
) -> None:
    """Also who may read the call without it: what they do by it counts, and ends with it."""
    other = tenant.person("supervisor")
    grant = give(access, lead, other, call)
    assert read(access, other, call).status_code == 200
    assert why(read(access, other, call, grant, what="transcript")) == (403, ["beyond-the-grant"])
    assert read(access, other, call, grant).status_code == 200
    assert why(read(access, other, call, grant)) == (403, ["grant-spent"])
    assert read(access, other, call).status_code == 200


@pytest.mark.guarantee("R20")
def test_a_grant_may_be_for_some_of_the_zones(
    access: Access, tenant: Tenant, lead: Person, agent: Person, call: Call
) -> None:
    with access.client(tenant.admin) as admin:
        branch = {"name": "branch", "networks": ["198.51.100.0/24"]}
        assert admin.post("/v1/zones", json=branch, headers=once()).status_code == 201
    grant = give(access, lead, agent, call, zones=["branch"], listenings=2)
    assert why(read(access, agent, call, grant)) == (403, ["beyond-the-grant"])
    assert read(access, agent, call, grant, address=ELSEWHERE).status_code == 200
    spoofed = read(access, agent, call, grant, address=f"{ELSEWHERE}, {OFFICE}")
    assert why(spoofed) == (403, ["beyond-the-grant"])


@pytest.mark.guarantee("R24")
def test_nobody_passes_on_what_they_may_not_have(access: Access, tenant: Tenant, agent: Person) -> None:
    tenant.person("agent", agent_ids=["2041"], team="osaka")
    call = tenant.call()
    tokyo, officer = tenant.person("supervisor", team="tokyo"), tenant.person("evidence-officer")
    analyst = tenant.person("analyst")
    assert why(ask_for_grant(access, tokyo, agent.id, call)) == (404, [])
    assert why(ask_for_grant(access, analyst, agent.id, call)) == (403, ["no-policy-permits"])
    assert why(ask_for_grant(access, agent, analyst.id, call)) == (404, [])
    assert ask_for_grant(access, officer, agent.id, call, address=ELSEWHERE).status_code == 403
    refused = ask_for_grant(access, officer, agent.id, call, purpose="training")
    assert why(refused) == (403, ["purpose-not-disclosed"])
    for who in (tokyo, analyst, agent, officer):
        assert access.audit.entries(action="read.denied", reader=str(who.id))
    assert not access.audit.entries(action="grant.made", call_id=str(call.id))
    assert ask_for_grant(access, officer, agent.id, call).status_code == 201


def test_a_grant_that_nobody_could_use_is_not_made(
    access: Access, tenant: Tenant, lead: Person, agent: Person, call: Call
) -> None:
    gone = tenant.person("agent")
    with access.client(tenant.admin) as client:
        client.delete(f"/v1/principals/{gone.id}")
    program = tenant.person("agent", kind="client")
    auditor, stranger = tenant.person("auditor"), access.tenant().person("agent")
    refused: list[tuple[Any, dict[str, Any], int]] = [
        (agent.id, {"zones": ["moon"]}, 422),
        (agent.id, {"start_ms": 60_000, "end_ms": 61_000}, 422),
        (agent.id, {"what": ["read-transcript"], "start_ms": 0, "end_ms": 1000}, 422),
        (gone.id, {}, 422),
        (program.id, {}, 422),
        (auditor.id, {}, 422),
        (lead.id, {}, 422),
        (stranger.id, {}, 404),
        (uuid4(), {}, 404),
    ]
    for reader, about, status in refused:
        response = ask_for_grant(access, lead, reader, call, **about)
        assert response.status_code == status, (about, response.text)
    nowhere = ask_for_grant(access, lead, agent.id, call, zones=["office", "moon", "mars"])
    assert [error["pointer"] for error in nowhere.json()["errors"]] == ["#/zones/1", "#/zones/2"]
    assert "moon" not in nowhere.text
    told = ask_for_grant(access, lead, auditor.id, call).json()
    assert (told["action"], told["why"]) == ("listen", ["no-policy-permits"])
    missing = ask_for_grant(access, lead, agent.id, call, call_id=str(uuid7()))
    assert missing.status_code == 404
    assert not access.query("SELECT 1 FROM grants WHERE tenant_id = :id", id=tenant.id)


@pytest.mark.guarantee("W3")
def test_a_grant_that_is_asked_for_twice_is_made_once(
    access: Access, lead: Person, agent: Person, call: Call
) -> None:
    body = {
        "reader_id": str(agent.id),
        "call_id": str(call.id),
        "what": ["listen"],
        "purpose": "quality",
        "reason": "x",
    }
    key = once()
    with access.client(lead.token) as client:
        first, second = (client.post("/v1/grants", json=body, headers=key) for _ in range(2))
        assert first.json() == second.json()
        listed = client.get("/v1/grants", params={"reader_id": str(agent.id)}).json()["items"]
    assert [grant["id"] for grant in listed] == [first.json()["id"]]


@pytest.mark.guarantee("R23")
def test_a_grant_is_taken_back_at_once_by_its_giver_or_who_answers_for_recordings(
    access: Access, tenant: Tenant, lead: Person, agent: Person, call: Call
) -> None:
    officer, other = tenant.person("evidence-officer"), tenant.person("supervisor")
    for who, address in ((lead.token, OFFICE), (officer.token, ELSEWHERE), (tenant.admin, ELSEWHERE)):
        grant = give(access, lead, agent, call, listenings=9)
        read_id = str(uuid7())
        assert read(access, agent, call, grant, read_id=read_id).status_code == 200
        path = f"/v1/grants/{grant['id']}"
        for stranger in (other.token, agent.token, access.tenant().admin):
            with access.client(stranger) as client:
                assert client.delete(path).status_code == 404
        with access.client(who, address=address) as client:
            assert client.delete(path).status_code == 204
            assert client.delete(path).status_code == 204
            assert client.delete(f"/v1/grants/{uuid4()}").status_code == 404
        refused = read(access, agent, call, grant, read_id=read_id)
        assert why(refused) == (403, ["grant-revoked"])
        assert refused.json()["type"] == "urn:otokura:problem:grant-over"
    revoked = access.audit.at_least(3, action="grant.revoked", call_id=str(call.id))
    assert len(revoked) == 3
    assert {entry["detail"]["used"] for entry in revoked} == {1}


@pytest.mark.guarantee("R23")
def test_a_grant_ends_with_its_time_and_with_its_giver(
    access: Access, tenant: Tenant, agent: Person, call: Call
) -> None:
    lead = tenant.person("supervisor")
    expired, orphaned = (give(access, lead, agent, call, listenings=5) for _ in range(2))
    assert read(access, agent, call, orphaned).status_code == 200
    access.query("UPDATE grants SET expires_at = now() WHERE id = :id", id=expired["id"])
    assert why(read(access, agent, call, expired)) == (403, ["grant-expired"])
    with access.client(tenant.admin) as client:
        assert client.delete(f"/v1/principals/{lead.id}").status_code == 204
    assert why(read(access, agent, call, orphaned)) == (403, ["giver-disabled"])


def test_people_see_what_they_gave_and_were_given(
    access: Access, tenant: Tenant, lead: Person, agent: Person, call: Call
) -> None:
    officer, other = tenant.person("evidence-officer"), tenant.person("supervisor")
    mine = [give(access, lead, agent, call)["id"] for _ in range(3)]
    theirs = give(access, officer, other, call)["id"]

    def listed(token: str, **params: Any) -> list[str]:
        with access.client(token) as client:
            response = client.get("/v1/grants", params=params)
            assert response.status_code == 200, response.text
            return [grant["id"] for grant in response.json()["items"]]

    assert listed(lead.token) == listed(agent.token) == mine[::-1]
    assert listed(other.token) == [theirs]
    assert listed(officer.token) == listed(tenant.admin) == [theirs, *mine[::-1]]
    assert listed(officer.token, reader_id=str(other.id)) == [theirs]
    assert listed(access.tenant().admin) == []
    with access.client(tenant.person("auditor").token) as client:
        assert why(client.get("/v1/grants")) == (403, ["no-policy-permits"])
    with access.client(lead.token) as client:
        first = client.get("/v1/grants", params={"limit": 2}).json()
        rest = client.get("/v1/grants", params={"limit": 2, "cursor": first["next_cursor"]}).json()
        assert client.get("/v1/grants", params={"cursor": "x"}).status_code == 400
    assert [grant["id"] for grant in first["items"] + rest["items"]] == mine[::-1]
    with access.client(access.operator()) as client:
        assert client.get("/v1/grants").json()["why"] == ["no-tenant"]


@pytest.mark.guarantee("R2")
@pytest.mark.guarantee("R31")
def test_what_was_given_is_seen_from_within_the_zones_and_not_while_paused(
    access: Access, tenant: Tenant, lead: Person, agent: Person, call: Call
) -> None:
    """It names calls and says why. Who may take back everybody's sees it from anywhere."""
    grant, officer = give(access, lead, agent, call), tenant.person("evidence-officer")
    for path in ("/v1/grants", "/v1/break-glass"):
        for who in (lead, agent):
            with access.client(who.token, address=ELSEWHERE) as client:
                answer = client.get(path)
            assert why(answer) == (403, ["outside-zones"]), path
            assert str(call.id) not in answer.text
        for token in (officer.token, tenant.admin):
            with access.client(token, address=ELSEWHERE) as client:
                assert client.get(path).status_code == 200
    denied = access.audit.entries(action="read.denied", reader=str(agent.id))
    assert [entry["detail"]["why"] for entry in denied] == [["outside-zones"]] * 2
    access.query("UPDATE principals SET paused_at = now() WHERE id = :id", id=lead.id)
    with access.client(lead.token) as client:
        for path in ("/v1/grants", "/v1/break-glass"):
            assert why(client.get(path)) == (403, ["reader-paused"])
    with access.client(lead.token, address=ELSEWHERE) as client:
        assert client.delete(f"/v1/grants/{grant['id']}").status_code == 204
