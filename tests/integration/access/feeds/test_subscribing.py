"""An administrator makes, changes and ends feeds; whoever is none does not."""

from __future__ import annotations

from typing import Any

import pytest

from access_audit import run
from access_feeds import SHOWN, Feed, read_feed, searched
from access_service import Access, Tenant, once

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]
BODY: dict[str, Any] = {"name": "Voice", "purpose": "quality", "principals": ["User:voice"]}


def post(tenant: Tenant, token: str | None = None, **changes: Any) -> Any:
    with tenant.access.client(token or tenant.admin) as client:
        return client.post("/v1/feeds", json=BODY | changes, headers=once())


def test_a_subscription_gives_what_is_said_from_then_on(access: Access, tenant: Tenant) -> None:
    """The way of a data engineer, from the first request to the first event."""
    tenant.call(said=searched)
    feed = Feed.create(tenant)
    call = tenant.call(said=searched)
    [event] = feed.wait_for(lambda events: len(events) > 0)
    assert event.key == str(call.id)
    assert [turn["text"] for turn in event.data["turns"]] == [SHOWN]
    assert event.data["turns"][0]["words"] is None
    opened = access.audit.entry(action="disclosure.opened", call_id=str(call.id))
    assert opened["entry_id"] == event.data["entry_id"]
    closed = access.audit.entry(action="disclosure.closed", call_id=str(call.id))
    assert closed["detail"]["opened"] == opened["entry_id"]


def test_every_change_is_an_entry(access: Access, tenant: Tenant) -> None:
    feed = Feed.create(tenant, fields=["turns"])
    assert feed.change(fields=["turns", "words"], enabled=False).status_code == 200
    with access.client(tenant.admin) as client:
        assert client.delete(f"/v1/feeds/{feed.id}").status_code == 204
        assert client.get(f"/v1/feeds/{feed.id}").status_code == 404
        assert client.get("/v1/feeds").json()["items"] == []
    about = {"tenant_id": str(tenant.id)}
    created = access.audit.entry(action="feed.created", **about)["detail"]["feed"]
    assert (created["id"], created["fields"], created["redaction"]) == (str(feed.id), ["turns"], "redacted")
    changed = access.audit.entry(action="feed.changed", **about)["detail"]
    assert changed["changed"] == ["enabled", "fields", "version"]
    assert access.audit.entry(action="feed.deleted", **about)["detail"]["feed"]["id"] == str(feed.id)


@pytest.mark.guarantee("T64")
def test_a_deleted_feeds_topic_goes_with_it(access: Access, tenant: Tenant) -> None:
    feed = Feed.create(tenant)
    tenant.call(said=searched)
    feed.wait_for(lambda events: len(events) == 1)
    with access.client(tenant.admin) as client:
        client.delete(f"/v1/feeds/{feed.id}")
    tenant.call(said=searched)
    query = "SELECT provisioned_version = version AS done FROM feeds WHERE id = :id"
    feed.wait_until(lambda: bool(access.query(query, id=feed.id)[0].done))
    assert run(read_feed(str(access.kafka["kafka_bootstrap"]), feed.topic)) == []


@pytest.mark.guarantee("T64")
def test_a_feed_that_is_disabled_and_enabled_again_misses_what_was_between(tenant: Tenant) -> None:
    feed = Feed.create(tenant)
    feed.change(enabled=False)
    between = tenant.call(said=searched)
    feed.change(enabled=True)
    after = tenant.call(said=searched)
    feed.wait_for(lambda events: len(events) > 0)
    assert [event.key for event in feed.events()] == [str(after.id)]
    assert (str(between.id), "completed") not in feed.jobs()


def test_raw_text_needs_a_permission_that_nobody_has_by_default(access: Access, tenant: Tenant) -> None:
    response = post(tenant, redaction="raw")
    assert (response.status_code, response.json()["why"]) == (403, ["no-policy-permits"])
    denied = access.audit.entry(action="read.denied", tenant_id=str(tenant.id))
    assert denied["detail"]["action"] == "manage-raw-feeds"
    feed = Feed.create(tenant)
    assert feed.change(redaction="raw").status_code == 403
    assert feed.view()["redaction"] == "redacted"


@pytest.mark.parametrize("role", ["agent", "supervisor", "analyst", "auditor"])
def test_only_an_administrator_sees_feeds(access: Access, tenant: Tenant, role: str) -> None:
    who = tenant.person(role)
    assert post(tenant, who.token).status_code == 403
    with access.client(who.token) as client:
        assert client.get("/v1/feeds").status_code == 403


@pytest.mark.guarantee("T62")
def test_another_tenants_feed_does_not_exist(access: Access, tenant: Tenant) -> None:
    feed, other = Feed.create(tenant), access.tenant()
    with access.client(other.admin) as client:
        path, match = f"/v1/feeds/{feed.id}", {"If-Match": feed.etag}
        assert client.get(path).status_code == 404
        assert client.patch(path, json={"enabled": False}, headers=match).status_code == 404
        assert client.delete(path).status_code == 404
        assert client.get("/v1/feeds").json()["items"] == []
    # Nor can it name a reader of the other's.
    assert post(other, principals=[f"User:{tenant.id}"]).status_code == 409


def test_a_change_must_know_what_it_changes(tenant: Tenant) -> None:
    feed = Feed.create(tenant)
    with tenant.access.client(tenant.admin) as client:
        assert client.patch(f"/v1/feeds/{feed.id}", json={"enabled": False}).status_code == 428
    stale = feed.etag
    assert feed.change(name="Renamed").status_code == 200
    feed.etag = stale
    assert feed.change(enabled=False).status_code == 412
    assert (feed.view()["name"], feed.view()["enabled"]) == ("Renamed", True)


def test_a_feed_has_a_purpose_of_the_companys_and_a_name_of_its_own(tenant: Tenant) -> None:
    assert post(tenant, purpose="marketing").status_code == 422
    first = post(tenant)
    assert first.status_code == 201
    assert first.json()["topic"] == f"otokura.feed.{tenant.id}.{first.json()['id']}"
    assert post(tenant).status_code == 409
