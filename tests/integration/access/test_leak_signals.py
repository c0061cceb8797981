"""Leak signals through the service as it runs: what raises one, and the pause that a rule demands."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

import access_service
import servers
from access_calls import Call
from access_grants import ask_for_grant, ask_to_break, read, set_settings, until, why
from access_service import ELSEWHERE, Access, Person, Tenant, once
from otokura.shared.ids import uuid7
from search_requests import at, found, indexed, look, page, said

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]
QUIET = ["otokura.hours", "otokura.new-place"]
"""Shipped rules that would match by the hour at which the tests run, or by where they come from."""


def rule(kind: str, **about: Any) -> dict[str, Any]:
    return {"id": kind, "kind": kind, **about}


def rules(access: Access, tenant: Tenant, *own: dict[str, Any]) -> None:
    changed = set_settings(access, tenant, leak_rules={"add": list(own), "disable": QUIET})
    assert changed.status_code == 200, changed.text


def signals(access: Access, tenant: Tenant) -> list[dict[str, Any]]:
    with access.client(tenant.admin) as client:
        items: list[dict[str, Any]] = client.get("/v1/signals").json()["items"]
    return items


def paused(access: Access, tenant: Tenant) -> list[str]:
    with access.client(tenant.admin) as client:
        return [item["reader_id"] for item in client.get("/v1/pauses").json()["items"]]


def listenings(access: Access, who: Person, at_least: int) -> int:
    """How many of somebody's listenings are counted, once they are so many: it happens beside the reads."""

    def enough() -> int:
        query = "SELECT coalesce(sum(listenings), 0)::int AS counted FROM seen_minutes WHERE reader_id = :id"
        counted = int(access.query(query, id=who.id)[0].counted)
        return counted if counted >= at_least else 0

    return until(enough)


@pytest.fixture
def call(tenant: Tenant) -> Call:
    return tenant.call()


@pytest.fixture
def lead(tenant: Tenant) -> Person:
    return tenant.person("supervisor")


@pytest.mark.guarantee("R30")
def test_so_many_listenings_raise_one_signal_which_is_an_entry(
    access: Access, tenant: Tenant, lead: Person, call: Call
) -> None:
    rules(access, tenant, rule("volume", at_least=5, minutes=60))
    read_id = str(uuid7())
    for number in range(8):
        part = f"bytes={number}-{number}"
        assert read(access, lead, call, read_id=read_id, part=part).status_code == 206
    assert listenings(access, lead, 1) == 1
    # It goes on, and others begin before that is counted.
    read(access, lead, call, read_id=read_id, part="bytes=8-8")
    for _ in range(3):
        read(access, lead, call)
    assert listenings(access, lead, 4) == 4, "the ranges of one listening are one"
    assert signals(access, tenant) == []
    for _ in range(4):
        read(access, lead, call)
    [signal] = until(lambda: signals(access, tenant))
    assert (signal["rule"], signal["reader_id"], signal["paused"]) == ("volume", str(lead.id), False)
    assert signal["detail"]["counted"] >= 5
    entry = access.audit.entry(action="signal.raised", tenant_id=str(tenant.id))
    assert (entry["reader"], entry["detail"]["signal"]) == (str(lead.id), signal["id"])
    assert (entry["detail"]["rule"], entry["detail"]["at_least"]) == ("volume", 5)
    for _ in range(5):
        read(access, lead, call)
    assert listenings(access, lead, 13) == 13
    assert len(signals(access, tenant)) == 1, "a rule does not repeat itself"
    assert paused(access, tenant) == []


@pytest.mark.guarantee("R30")
@pytest.mark.guarantee("R31")
def test_so_many_different_calls_pause_the_reader_until_an_administrator_looks(
    access: Access, tenant: Tenant, lead: Person
) -> None:
    rules(access, tenant, rule("breadth", at_least=4, minutes=60, pause=True))
    colleague, calls = tenant.person("supervisor"), [tenant.call() for _ in range(4)]
    for _ in range(3):
        for call in calls[:3]:
            assert read(access, lead, call).status_code == 200
    assert listenings(access, lead, 9) == 9
    assert signals(access, tenant) == []
    read(access, lead, calls[3])
    assert until(lambda: paused(access, tenant)) == [str(lead.id)]
    refused = read(access, lead, calls[0])
    assert why(refused) == (403, ["reader-paused"])
    assert refused.json()["type"] == "urn:otokura:problem:reader-paused"
    assert why(ask_for_grant(access, lead, colleague.id, calls[0])) == (403, ["reader-paused"])
    assert why(ask_to_break(access, lead)) == (403, ["reader-paused"])
    with access.client(lead.token) as client:
        for path in ("/v1/calls", f"/v1/calls/{calls[0].id}", f"/v1/calls/{uuid7()}"):
            assert why(client.get(path)) == (403, ["reader-paused"]), path
        searched = client.post("/v1/search", json={"phrase": "thank you", "purpose": "quality"})
        assert why(searched) == (403, ["reader-paused"])
    denied = access.audit.entries(action="read.denied", reader=str(lead.id))
    assert {"reader-paused"} == {why for entry in denied for why in entry["detail"]["why"]}
    assert read(access, colleague, calls[0]).status_code == 200
    with access.client(tenant.admin) as admin:
        assert admin.delete(f"/v1/pauses/{lead.id}").status_code == 204
        assert admin.delete(f"/v1/pauses/{lead.id}").status_code == 404
    assert read(access, lead, calls[0]).status_code == 200
    assert [bool(signal["lifted_at"]) for signal in signals(access, tenant)] == [True]
    lifted = access.audit.entry(action="pause.lifted", tenant_id=str(tenant.id))
    assert lifted["detail"]["reader"]["id"] == str(lead.id)
    assert access.audit.entry(action="signal.raised", tenant_id=str(tenant.id))["detail"]["paused"] is True
    for call in calls[1:]:
        read(access, lead, call)
    assert until(lambda: paused(access, tenant)) == [str(lead.id)], "it is counted anew, and holds anew"


@pytest.mark.guarantee("R30")
def test_what_searches_show_counts_as_read(access: Access, tenant: Tenant, lead: Person) -> None:
    """A phrase that stands in every call, page by page: nothing is opened, and its sentences are read."""
    rules(
        access,
        tenant,
        rule("breadth", at_least=4, minutes=60, pause=True),
        rule("volume", at_least=5, minutes=60),
    )
    calls = [said(tenant, "解約したい", **at(minute)) for minute in range(4)]
    indexed(access, *calls)
    assert found(access, lead.token, "別の言葉") == []
    with access.client(lead.token) as client:
        assert len(client.get("/v1/calls").json()["items"]) == 4
    first = page(access, lead.token, "解約", limit=3)
    assert listenings(access, lead, 3) == 3, "neither the list nor the search that found nothing counts"
    assert signals(access, tenant) == []
    shown = page(access, lead.token, "解約", limit=3, cursor=first["next_cursor"])
    assert len(shown["items"]) == 1
    [signal] = until(lambda: signals(access, tenant))
    assert (signal["rule"], signal["reader_id"], signal["paused"]) == ("breadth", str(lead.id), True)
    assert why(look(access, lead.token, "解約")) == (403, ["reader-paused"])
    assert read(access, tenant.person("supervisor"), calls[0]).status_code == 200
    other = tenant.person("supervisor")
    for _ in range(2):
        page(access, other.token, "解約", limit=3)
    raised = until(lambda: [one for one in signals(access, tenant) if one["reader_id"] == str(other.id)])
    assert [one["rule"] for one in raised] == ["volume"], "the same three calls, six times"


@pytest.mark.guarantee("R30")
def test_many_denials_of_any_kind_are_a_signal(access: Access, tenant: Tenant, call: Call) -> None:
    rules(access, tenant, rule("denials", at_least=6, minutes=10, pause=True))
    agent = tenant.person("agent", agent_ids=["a-9"])
    for _ in range(2):
        assert read(access, agent, call).status_code == 404
        assert read(access, agent, call, {"id": str(uuid7())}).status_code == 404
        with access.client(agent.token) as client:
            assert client.get("/v1/settings").status_code == 403
    [signal] = until(lambda: signals(access, tenant))
    assert (signal["kind"], signal["detail"]["counted"]) == ("denials", 6)
    assert paused(access, tenant) == [str(agent.id)]


@pytest.mark.guarantee("R30")
def test_a_network_where_the_reader_was_never_seen_is_a_signal(access: Access, tenant: Tenant) -> None:
    """Also one that no zone holds; a new colleague's first network is none."""
    disabled = {"add": [], "disable": ["otokura.hours"]}
    assert set_settings(access, tenant, leak_rules=disabled).status_code == 200
    lead, call = tenant.person("supervisor"), tenant.call()
    assert read(access, lead, call).status_code == 200
    until(lambda: access.query("SELECT 1 FROM seen_places WHERE reader_id = :id", id=lead.id))
    assert read(access, lead, call, address="203.0.113.9").status_code == 200
    assert listenings(access, lead, 2) == 2
    assert signals(access, tenant) == []
    assert read(access, lead, call, address=ELSEWHERE).status_code == 403
    [signal] = until(lambda: signals(access, tenant))
    assert (signal["rule"], signal["detail"]) == (
        "otokura.new-place",
        {"networks": ["198.51.100.0/24"], "known": 1},
    )


@pytest.mark.guarantee("R30")
def test_reading_outside_working_hours_is_a_signal(access: Access, tenant: Tenant, call: Call) -> None:
    """Whatever hour it is while this runs: two rules, of which one holds always and the other never."""
    [now] = access.query("SELECT extract(hour FROM now() AT TIME ZONE 'Asia/Tokyo')::int AS hour")
    hours = [f"{(now.hour + shift) % 24:02}:00" for shift in (-2, 3, 5)]
    usual = {"kind": "hours", "time_zone": "Asia/Tokyo"}
    inside = {"id": "inside", **usual, "opens": hours[0], "closes": hours[1]}
    outside = {"id": "outside", **usual, "opens": hours[1], "closes": hours[2]}
    rules(access, tenant, inside, outside)
    assert read(access, tenant.person("supervisor"), call).status_code == 200
    [signal] = until(lambda: signals(access, tenant))
    assert (signal["rule"], signal["detail"]["time_zone"]) == ("outside", "Asia/Tokyo")


@pytest.mark.guarantee("R32")
def test_a_changed_rule_counts_at_once_and_rules_that_cannot_work_are_refused(
    access: Access, tenant: Tenant, lead: Person, call: Call
) -> None:
    rules(access, tenant, rule("volume", at_least=50, minutes=60))
    for _ in range(3):
        read(access, lead, call)
    rules(access, tenant, rule("volume", at_least=4, minutes=60))
    read(access, lead, call)
    assert [signal["rule"] for signal in until(lambda: signals(access, tenant))] == ["volume"]
    made, changed = 1, 2
    entry = access.audit.at_least(made + changed, action="settings.changed", tenant_id=str(tenant.id))[-1]
    assert [one["at_least"] for one in entry["detail"]["leak_rules"]] == [4]
    assert entry["detail"]["leak_rules_off"] == QUIET
    for wrong, pointer in (
        ({"add": [rule("volume", at_least=0, minutes=1)]}, "#/leak_rules/add/0/volume/at_least"),
        ({"add": [rule("mood")]}, "#/leak_rules/add/0"),
        ({"disable": ["otokura.moods"]}, "#/leak_rules/disable/0"),
    ):
        refused = set_settings(access, tenant, leak_rules=wrong)
        assert refused.status_code == 422
        assert pointer in [error["pointer"] for error in refused.json()["errors"]]


@pytest.mark.guarantee("R31")
def test_nobody_lifts_their_own_pause_and_only_administrators_lift_any(
    access: Access, tenant: Tenant, call: Call
) -> None:
    rules(access, tenant, rule("volume", at_least=1, minutes=1, pause=True))
    both = tenant.person("admin", roles=["admin", "supervisor"])
    read(access, both, call)
    until(lambda: paused(access, tenant))
    with access.client(both.token) as client:
        refused = client.delete(f"/v1/pauses/{both.id}")
        assert (refused.status_code, refused.json()["type"]) == (403, "urn:otokura:problem:own-pause")
        assert client.get("/v1/settings").status_code == 200, "it stops reading, not configuring"
    others = [tenant.person("supervisor"), tenant.person("auditor")]
    for token in [*(person.token for person in others), access.tenant().admin]:
        with access.client(token) as client:
            assert client.delete(f"/v1/pauses/{both.id}").status_code in (403, 404)
            assert both.credentials["id"] not in client.get("/v1/signals").text
    assert paused(access, tenant) == [str(both.id)]
    with access.client(tenant.admin) as client:
        assert client.delete(f"/v1/pauses/{both.id}").status_code == 204


@pytest.mark.guarantee("R31")
def test_a_pause_holds_on_every_instance_with_the_next_request(access: Access) -> None:
    """Another process on the same database, which saw nothing of what led to it."""
    tenant = access.tenant()
    lead, call = tenant.person("supervisor"), tenant.call()
    rules(access, tenant, rule("volume", at_least=3, minutes=60, pause=True))
    with servers.scratch_folder("access") as folder:
        keys = {
            "OTOKURA_TOKEN_SIGNING_KEY_FILE": str(access.token_key_file),
            "OTOKURA_KEYRING_FILE": str(access.keyring),
        }
        where = access.store_settings, access.seal_settings, access.kafka
        other = access_service.Access(folder, access.database_url, *where, keys)
        try:
            other.start()
            assert read(other, lead, call).status_code == 200
            # What is read on both counts together.
            for instance in itertools.islice(itertools.cycle((access, other)), 4):
                read(instance, lead, call)
            until(lambda: paused(access, tenant))
            assert why(read(access, lead, call)) == (403, ["reader-paused"])
            assert why(read(other, lead, call)) == (403, ["reader-paused"])
            assert len(signals(access, tenant)) == 1
        finally:
            other.program.stop()


@pytest.mark.guarantee("R31")
def test_a_paused_officer_exports_and_erases_nothing(access: Access, tenant: Tenant, call: Call) -> None:
    officer = tenant.person("evidence-officer")
    access.query("UPDATE principals SET paused_at = now() WHERE id = :id", id=officer.id)
    which = {"call_ids": [str(call.id)]}
    asked = [("/v1/exports", {"reason": "case 7"}), ("/v1/erasures", {"reason": "case 7"})]
    with access.client(officer.token) as client:
        for path, more in [*asked, ("/v1/erasures/preview", {})]:
            response = client.post(path, json=which | more, headers=once())
            assert why(response) == (403, ["reader-paused"]), (path, response.text)


def test_signals_are_listed_a_page_at_a_time(access: Access, tenant: Tenant, call: Call) -> None:
    rules(access, tenant, *(rule("volume", at_least=1, minutes=1) | {"id": f"r{n}"} for n in range(3)))
    read(access, tenant.person("supervisor"), call)
    until(lambda: len(signals(access, tenant)) == 3)
    with access.client(tenant.admin) as client:
        first = client.get("/v1/signals", params={"limit": 2}).json()
        rest = client.get("/v1/signals", params={"limit": 2, "cursor": first["next_cursor"]}).json()
        assert client.get("/v1/signals", params={"cursor": "x"}).status_code == 400
    found = [item["id"] for item in first["items"] + rest["items"]]
    assert found == [signal["id"] for signal in signals(access, tenant)]
    assert rest["next_cursor"] is None
