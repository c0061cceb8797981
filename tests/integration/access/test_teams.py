"""Whose calls somebody reads: an agent by the phone system's names for them, a supervisor by their team."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from access_people import status
from access_service import Access, Person, Tenant

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]
QUALITY = {"purpose": "quality"}


def readable(access: Access, who: Person, *calls: UUID) -> list[int]:
    """What somebody is answered who wants to hear these calls, and reads their transcripts."""
    with access.client(who.token) as client:
        answers = [client.get(f"/v1/calls/{call}/audio", params=QUALITY).status_code for call in calls]
        texts = [client.get(f"/v1/calls/{call}/transcript", params=QUALITY).status_code for call in calls]
        found = {item["id"] for item in client.get("/v1/calls").json()["items"]}
    assert texts == answers
    assert found == {str(call) for call, answer in zip(calls, answers, strict=True) if answer == 200}
    return answers


def change(tenant: Tenant, principal_id: UUID, **changes: Any) -> httpx.Response:
    """Changes a principal as an administrator does: read, changed, written back."""
    with tenant.access.client(tenant.admin) as client:
        read = client.get(f"/v1/principals/{principal_id}")
        members = {name: read.json()[name] for name in ("name", "roles", "team", "agent_ids")}
        match = {"If-Match": read.headers["ETag"]}
        return client.put(f"/v1/principals/{principal_id}", json=members | changes, headers=match)


@pytest.mark.guarantee("P9")
def test_an_agent_reads_the_calls_of_their_own_names_and_no_others(access: Access, tenant: Tenant) -> None:
    agent = tenant.person("agent", agent_ids=["2041", "x-7"], team="tokyo")
    tenant.person("agent", agent_ids=["2042"], team="tokyo")
    calls = [tenant.call(agent_id=name).id for name in ("2041", "x-7", "2042", "2099")]
    assert readable(access, agent, *calls) == [200, 200, 404, 404]
    assert change(tenant, agent.id, agent_ids=["x-7", "2099"]).status_code == 200
    about = access.audit.entry(action="principal.changed", tenant_id=str(tenant.id))["detail"]["principal"]
    assert (about["before"]["agent_ids"], about["agent_ids"]) == (["2041", "x-7"], ["2099", "x-7"])
    assert readable(access, agent, *calls) == [404, 200, 404, 200]
    assert change(tenant, agent.id, agent_ids=[]).json()["agent_ids"] == []
    assert readable(access, agent, *calls) == [404] * 4


@pytest.mark.guarantee("P9")
def test_a_supervisor_reads_the_calls_of_their_team_and_no_others(access: Access, tenant: Tenant) -> None:
    supervisor = tenant.person("supervisor", team="tokyo")
    in_tokyo = tenant.person("agent", agent_ids=["t-1"], team="tokyo")
    tenant.person("agent", agent_ids=["o-1"], team="osaka")
    tenant.person("agent", agent_ids=["n-1"])
    calls = [tenant.call(agent_id=name).id for name in ("t-1", "o-1", "n-1", "nobody's")]
    assert readable(access, supervisor, *calls) == [200, 404, 404, 404]
    assert change(tenant, in_tokyo.id, team="osaka").status_code == 200
    assert readable(access, supervisor, *calls) == [404] * 4
    assert change(tenant, supervisor.id, team="osaka").status_code == 200
    assert readable(access, supervisor, *calls) == [200, 200, 404, 404]
    assert change(tenant, supervisor.id, team=None).status_code == 200
    assert readable(access, supervisor, *calls) == [200] * 4  # of no team: looks after the whole tenant


@pytest.mark.guarantee("P9")
def test_a_role_that_is_taken_away_ends_the_tokens_that_say_it(access: Access, tenant: Tenant) -> None:
    """Other services believe the roles of a token."""
    person = tenant.person("supervisor")
    assert change(tenant, person.id, name="別の名前").status_code == 200
    assert status(access, person.token) == 200
    assert change(tenant, person.id, roles=["auditor"]).json()["roles"] == ["auditor"]
    assert status(access, person.token) == 401
    assert status(access, access.token(person.credentials)) == 403
    rows = access.query("SELECT data::json AS data FROM outbox WHERE type = 'otokura.token.revoked.v1'")
    assert str(person.id) in {row.data["subject"] for row in rows}


def test_an_agent_id_is_taken_from_nobody(tenant: Tenant) -> None:
    one, other = tenant.person("agent", agent_ids=["1"]), tenant.person("agent", agent_ids=["2"])
    taken = change(tenant, one.id, agent_ids=["1", "2"])
    assert taken.status_code == 409
    assert [error["pointer"] for error in taken.json()["errors"]] == ["#/agent_ids/1"]
    assert "agent_ids" not in taken.json()
    assert change(tenant, other.id, agent_ids=[]).status_code == 200
    assert change(tenant, one.id, agent_ids=["1", "2"]).json()["agent_ids"] == ["1", "2"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"roles": ["operator"]}, 422),
        ({"roles": ["auditor", "supervisor"]}, 422),
        ({"roles": ["vendor"]}, 422),
        ({"roles": []}, 422),
        ({"name": " "}, 422),
        ({"kind": "client"}, 422),
    ],
)
def test_what_nobody_can_be_is_refused(tenant: Tenant, changes: dict[str, Any], code: int) -> None:
    assert change(tenant, tenant.person("agent").id, **changes).status_code == code


def test_a_principal_is_changed_as_it_was_read_by_the_own_administrator(
    access: Access, tenant: Tenant
) -> None:
    person = tenant.person("agent")
    where, body = f"/v1/principals/{person.id}", {"name": "Jiro", "roles": ["agent"]}
    with access.client(tenant.admin) as client:
        assert client.put(where, json=body).status_code == 428
        match = {"If-Match": client.get(where).headers["ETag"]}
        changed = client.put(where, json=body, headers=match)
        assert (changed.status_code, changed.json()["name"]) == (200, "Jiro")
        assert client.put(where, json=body, headers=match).status_code == 412
        match = {"If-Match": changed.headers["ETag"]}
        assert client.get(f"/v1/principals/{uuid4()}").status_code == 404
        [admin] = [p for p in client.get("/v1/principals").json()["items"] if p["roles"] == ["admin"]]
        for principal, roles in (
            (admin["id"], ["agent"]),
            (tenant.create("vendor", kind="client").json()["id"], ["agent"]),
        ):
            etag = client.get(f"/v1/principals/{principal}").headers["ETag"]
            refused = client.put(
                f"/v1/principals/{principal}", json={"name": "x", "roles": roles}, headers={"If-Match": etag}
            )
            assert refused.status_code == 409
        assert client.delete(where).status_code == 204
        etag = client.get(where).headers["ETag"]
        assert client.put(where, json=body, headers={"If-Match": etag}).status_code == 409
    for token, code in ((access.tenant().admin, 404), (tenant.person("supervisor").token, 403)):
        with access.client(token) as client:
            assert client.get(where).status_code == code
            assert client.put(where, json=body, headers=match).status_code == code
