"""Decisions that were made are judged again from what the log holds of them."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import pytest

from access_calls import Call
from access_grants import QUALITY, broken, give, read, why
from access_people import somebody
from access_service import ELSEWHERE, Access, Person, Tenant, once
from otokura.cli.policy.replay import DECIDED, replay
from otokura.shared.policy.engine import POLICY_DIR, PolicyEngine
from otokura.shared.policy.questions import Question

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]
Told = tuple[str, str, str]
"""Whose entry, of which kind, and the action that the policies were asked about."""


@pytest.mark.guarantee("R13")
def test_every_decision_about_a_call_can_be_judged_again(
    access: Access, tenant: Tenant, tmp_path: Path
) -> None:
    """Of a call that is not there nothing was decided."""
    call, supervisor = tenant.call(), tenant.person("supervisor")
    stranger, path = tenant.person("agent", agent_ids=["nobody"]), f"/v1/calls/{call.id}/audio"
    attempts = [
        (supervisor, path, QUALITY, None, 200),
        (supervisor, path, {"purpose": "marketing"}, None, 403),
        (supervisor, path, QUALITY, ELSEWHERE, 403),
        (stranger, path, QUALITY, None, 404),
        (supervisor, f"/v1/calls/{uuid4()}/audio", QUALITY, None, 404),
    ]
    for person, where, params, address, status in attempts:
        with access.client(person.token, **({"address": address} if address else {})) as client:
            assert client.get(where, params=params).status_code == status
    entries = [
        entry
        for action in ("read.opened", "read.denied")
        for person in (supervisor, stranger)
        for entry in access.audit.entries(action=action, reader=str(person.id))
    ]
    again = replay(PolicyEngine(), entries)
    assert (again.changes, again.same, again.unjudged) == ([], 4, 1)
    for file in POLICY_DIR.iterdir():
        (tmp_path / file.name).write_text(file.read_text())
    own = '@id("nobody-listens") forbid (principal, action == Otokura::Action::"listen", resource);'
    (tmp_path / "own.cedar").write_text(own)
    again = replay(PolicyEngine(tmp_path), entries)
    assert [change.now.policies for change in again.refused] == [("nobody-listens",)]
    assert [str(change.question.subject.id) for change in again.refused] == [str(supervisor.id)]


@pytest.mark.guarantee("R13")
def test_whatever_is_permitted_tells_what_the_policies_were_asked_and_said(
    access: Access, tenant: Tenant
) -> None:
    """Each kind of entry in the one form, so that a replay misses none."""
    call = tenant.call()
    lead, officer, admin = (tenant.person(role) for role in ("supervisor", "evidence-officer", "admin"))
    person, expected = somebody(tenant), list[Told]()
    person.session()
    expected += _looks(access, lead, call)
    expected += _holds_and_erasures(access, officer, call)
    expected += _grants_and_glass(access, tenant, (lead, officer, admin), call)
    expected += _configures(access, admin, call)
    expected += [(str(person.id), kind, "log-in") for kind in ("invitation.accepted", "login.succeeded")]
    for who, kind, action in expected:
        entries = access.audit.at_least(1, action=kind, reader=who)
        details = [entry["detail"] for entry in entries if entry["detail"]["question"]["action"] == action]
        assert details, (kind, action)
        for detail in details:
            assert detail["policies"], (kind, action)
            assert detail["policy_version"] == PolicyEngine().version
            assert set(detail["question"]) <= set(Question.model_fields)
            assert "花子" not in str(detail["question"])
            assert len(json.dumps(detail)) < 4096, "an entry holds 65,535 bytes at most"
    entries = access.audit.entries(tenant_id=str(tenant.id))
    asked = [entry for entry in entries if "question" in entry["detail"]]
    assert {entry["action"] for entry in asked} <= set(DECIDED)
    again = replay(PolicyEngine(), asked)
    assert (again.changes, again.same, again.unjudged) == ([], len(asked), 0)
    assert {kind for _, kind, _ in expected} <= set(again.kinds)


def _looks(access: Access, lead: Person, call: Call) -> list[Told]:
    with access.client(lead.token) as client:
        for path in ("", f"/{call.id}", f"/{call.id}/transcripts"):
            assert client.get(f"/v1/calls{path}").status_code == 200
        assert client.get(f"/v1/calls/{call.id}/audio", params=QUALITY).status_code == 200
        searched = client.post("/v1/search", json={"phrase": "thank you", **QUALITY})
        assert searched.status_code == 200, searched.text
    looked = [entry["detail"] for entry in access.audit.entries(action="calls.searched", reader=str(lead.id))]
    assert ["call" in detail["question"] for detail in looked] == [False, True, True]
    return [
        (str(lead.id), "calls.searched", "search"),
        (str(lead.id), "calls.searched", "view"),
        (str(lead.id), "read.opened", "listen"),
        (str(lead.id), "transcripts.searched", "search-text"),
    ]


def _holds_and_erasures(access: Access, officer: Person, call: Call) -> list[Told]:
    which = {"call_ids": [str(call.id)]}
    customer = {"customer": {"numbers": ["+81312345678"]}}
    holds, erasures = f"/v1/calls/{call.id}/holds", "/v1/erasures"
    with access.client(officer.token) as client:
        hold = client.post(holds, json={"reason": "case 7"}, headers=once())
        assert hold.status_code == 201, hold.text
        erasing = client.post(
            erasures, json=which | {"ground": "cease-use", "reason": "case 7"}, headers=once()
        )
        assert erasing.status_code == 201, erasing.text
        assert client.delete(f"{erasures}/{erasing.json()['id']}").status_code == 200
        assert client.post(f"{erasures}/preview", json=customer).status_code == 200
        exported = client.post("/v1/exports", json=which | {"reason": "case 7"})
        assert exported.status_code == 200, exported.text
        lifted = client.post(f"{holds}/{hold.json()['id']}/lift", json={"reason": "over"})
        assert lifted.status_code == 200, lifted.text
    kinds = {
        "hold": ("hold.set", "hold.lifted"),
        "erase": ("erasure.requested", "erasure.withdrawn", "customer.searched", "calls.searched"),
        "export": ("disclosure.opened", "read.opened"),
    }
    return [(str(officer.id), kind, action) for action, of_it in kinds.items() for kind in of_it]


def _grants_and_glass(
    access: Access, tenant: Tenant, people: tuple[Person, Person, Person], call: Call
) -> list[Told]:
    """What is taken back is so by an administrator: whose it is asks no policy."""
    lead, officer, admin = people
    agent = tenant.person("agent")
    grant, glass = give(access, lead, agent, call), broken(access, lead, officer)
    assert read(access, agent, call, grant).status_code == 200
    spent = read(access, agent, call, grant)
    assert why(spent) == (403, ["grant-spent"])
    with access.client(admin.token) as client:
        assert client.delete(f"/v1/grants/{grant['id']}").status_code == 204
        assert client.delete(f"/v1/break-glass/{glass['id']}").status_code == 204
    [denied] = access.audit.entries(action="read.denied", reader=str(agent.id))
    assert "question" not in denied["detail"], "the policies did not refuse it"
    used = access.audit.entry(action="grant.used", reader=str(agent.id))
    assert "question" not in used["detail"], "it stands in the entry of the read"
    return [
        (str(lead.id), "grant.made", "give-grant"),
        (str(agent.id), "read.opened", "listen"),
        (str(admin.id), "grant.revoked", "manage-grants"),
        (str(lead.id), "break-glass.asked", "ask-break-glass"),
        (str(officer.id), "break-glass.approved", "approve-break-glass"),
        (str(admin.id), "break-glass.ended", "manage-grants"),
    ]


def _configures(access: Access, admin: Person, call: Call) -> list[Told]:
    bodies = {
        "zones": {"name": "annex", "networks": ["203.0.113.64/28"]},
        "principals": {"name": "山田", "kind": "person", "roles": ["agent"]},
        "transcriptions": {"reason": "Better model", "call_id": str(call.id)},
    }
    with access.client(admin.token) as client:
        for what, body in bodies.items():
            made = client.post(f"/v1/{what}", json=body, headers=once())
            assert made.status_code in {201, 202}, (what, made.text)
    return [
        (str(admin.id), "zone.created", "configure"),
        (str(admin.id), "principal.created", "manage-principals"),
        (str(admin.id), "transcription.requested", "transcribe-again"),
    ]


@pytest.mark.guarantee("R13")
def test_a_denial_names_the_policies_behind_it_as_a_permission_does(access: Access, tenant: Tenant) -> None:
    """Of a call, of the tenant, and of what was asked after something else was permitted."""
    call, supervisor, admin = tenant.call(), tenant.person("supervisor"), tenant.person("admin")
    feed = {"name": "Raw", "purpose": "quality", "redaction": "raw", "principals": ["User:midori"]}
    with access.client(supervisor.token, address=ELSEWHERE) as client:
        assert client.get("/v1/calls").status_code == 403
        assert client.get(f"/v1/calls/{call.id}/audio", params=QUALITY).status_code == 403
    with access.client(admin.token) as client:
        assert client.post("/v1/feeds", json=feed, headers=once()).status_code == 403
    told = [
        (detail["question"]["action"], detail["policies"], detail["policy_version"])
        for who in (supervisor, admin)
        for detail in (
            entry["detail"] for entry in access.audit.entries(action="read.denied", reader=str(who.id))
        )
    ]
    version = PolicyEngine().version
    assert told == [
        ("search", ["outside-zones"], version),
        ("listen", ["outside-zones"], version),
        ("manage-raw-feeds", [], version),
    ]
