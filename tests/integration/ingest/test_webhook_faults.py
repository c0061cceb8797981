"""Endpoints that are slow, broken or away, and a process that dies: each event arrives, nobody waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy import text

from ingest_service import Credentials, IngestService, MakeIngest, client_of, settled, start_call
from webhook_endpoint import Endpoint, answers, endless, hangs, says
from webhook_vendor import (
    ALLOWED,
    all_in_state,
    deliveries,
    deliveries_once,
    empty_call,
    fresh_key,
    register,
    webhook_once,
)

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]


def settings(timeout_seconds: float) -> dict[str, object]:
    """Gives an endpoint so long, and up after three failures; few deliveries at once."""
    return {
        "webhook_allowed_networks": ALLOWED,
        "webhook_timeout_seconds": timeout_seconds,
        "webhook_retry_seconds": "0.2,0.2",
        "webhook_slots": 4,
        "webhook_concurrency": 2,
    }


@pytest.fixture(scope="module")
def ingest(make_ingest: MakeIngest) -> IngestService:
    """Leaves an endpoint time; twice as long an attempt is left alone that died with its process."""
    return make_ingest(**settings(5.0))


@pytest.fixture(scope="module")
def hasty(make_ingest: MakeIngest) -> IngestService:
    """Has soon enough of an endpoint that does not answer."""
    return make_ingest(**settings(1.0))


@pytest.fixture
async def client(ingest: IngestService, credentials: Credentials) -> AsyncIterator[httpx.AsyncClient]:
    """Patient: the service is away for a moment in some of these tests."""
    transport = httpx.AsyncHTTPTransport(retries=8)
    async with httpx.AsyncClient(
        transport=transport, base_url=ingest.url, headers=credentials.headers, timeout=60
    ) as found:
        yield found


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with Endpoint().listening() as found:
        yield found


@pytest.mark.guarantee("A31")
async def test_what_was_sent_when_the_process_was_killed_is_sent_again_under_the_same_id(
    ingest: IngestService, endpoint: Endpoint, client: httpx.AsyncClient
) -> None:
    """kill -9 after the endpoint had the request and before anything was noted of it."""
    hook = await register(client, endpoint.url)
    endpoint.behave = hangs
    await empty_call(client)
    [lost] = await endpoint.wait_for(1)
    ingest.program.kill()
    endpoint.behave = answers(200)
    await ingest.restart()
    again = (await endpoint.wait_for(2))[1]
    assert again.webhook_id == lost.webhook_id
    assert again.body == lost.body
    assert again.verified(hook["secret"])["type"] == "call.empty"
    [delivery] = await deliveries_once(client, hook["id"], all_in_state("delivered"))
    assert (delivery["id"], delivery["attempts"]) == (lost.webhook_id, 1)


@pytest.mark.guarantee("A31")
async def test_a_receiver_that_was_down_gets_everything_when_it_is_up(client: httpx.AsyncClient) -> None:
    async with Endpoint().listening() as endpoint:
        hook = await register(client, endpoint.url)
    call = await empty_call(client)
    failing = await webhook_once(client, hook["id"], lambda shown: shown["failing_since"] is not None)
    assert failing["state"] == "enabled"
    [waiting] = await deliveries(client, hook["id"])
    assert waiting["last_error"] == "connection-failed"
    assert waiting["last_status"] is None
    async with endpoint.listening():
        [request] = await endpoint.wait_for(1)
        assert request.verified(hook["secret"])["data"]["call_id"] == call
        await webhook_once(client, hook["id"], lambda shown: shown["failing_since"] is None)


@pytest.mark.guarantee("A31")
@pytest.mark.parametrize("all_of_them", [False, True])
async def test_what_was_given_up_is_replayed_under_its_own_ids(
    endpoint: Endpoint, client: httpx.AsyncClient, all_of_them: bool
) -> None:
    """The endpoint answered 500 three times each; a replay starts from a time, and may repeat the rest."""
    hook = await register(client, endpoint.url)
    await empty_call(client)
    [first] = await deliveries_once(client, hook["id"], all_in_state("delivered"))
    endpoint.behave = answers(500)
    await empty_call(client)
    found = await deliveries_once(client, hook["id"], lambda now: now[0]["state"] == "failed")
    assert (found[0]["attempts"], found[0]["last_status"], found[0]["next_attempt_at"]) == (3, 500, None)
    assert {request.webhook_id for request in endpoint.received[1:]} == {found[0]["id"]}
    endpoint.behave, before = answers(202), len(endpoint.received)
    since = {"since": first["created_at"], "include_delivered": all_of_them}
    replayed = await client.post(f"/v1/webhooks/{hook['id']}/replay", json=since)
    assert (replayed.status_code, replayed.json()) == (202, {"deliveries": 1 + all_of_them})
    requests = await endpoint.wait_for(before + 1 + all_of_them)
    expected = {found[0]["id"], first["id"]} if all_of_them else {found[0]["id"]}
    assert {request.webhook_id for request in requests[before:]} == expected
    after = await deliveries_once(client, hook["id"], all_in_state("delivered"))
    assert after[0]["attempts"] == 4


async def test_one_delivery_is_replayed_by_its_id(endpoint: Endpoint, client: httpx.AsyncClient) -> None:
    hook = await register(client, endpoint.url)
    await empty_call(client)
    [delivery] = await deliveries_once(client, hook["id"], all_in_state("delivered"))
    path = f"/v1/webhooks/{hook['id']}/replay"
    assert (await client.post(path, json={"delivery_id": delivery["id"]})).json() == {"deliveries": 1}
    first, second = await endpoint.wait_for(2)
    assert (second.webhook_id, second.body) == (first.webhook_id, first.body)
    assert (await client.post(path, json={"delivery_id": hook["id"]})).status_code == 404
    for wrong in (
        {},
        {"since": "yesterday"},
        {"since": "2026-11-24T00:00:00Z", "delivery_id": delivery["id"]},
    ):
        assert (await client.post(path, json=wrong)).status_code == 422


@pytest.mark.guarantee("A34")
async def test_an_endpoint_that_is_gone_is_disabled_and_gets_what_it_missed_when_enabled(
    endpoint: Endpoint, client: httpx.AsyncClient
) -> None:
    hook = await register(client, endpoint.url)
    endpoint.behave = answers(410)
    await empty_call(client)
    shown = await webhook_once(client, hook["id"], lambda shown: shown["state"] == "disabled")
    assert shown["disabled_reason"] == "gone"
    assert shown["disabled_at"] is not None
    refused = await client.post(f"/v1/webhooks/{hook['id']}/test", headers=fresh_key())
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:otokura:problem:webhook-disabled")
    endpoint.behave = answers(200)
    await empty_call(client)
    async with Endpoint().listening() as other:
        await register(client, other.url)
        await empty_call(client)
        await other.wait_for(1)
    assert len(endpoint.received) == 1
    enabled = await client.post(f"/v1/webhooks/{hook['id']}/enable")
    assert (enabled.json()["state"], enabled.json()["disabled_reason"]) == ("enabled", None)
    await endpoint.wait_for(4)
    assert len({request.webhook_id for request in endpoint.received}) == 3
    await deliveries_once(client, hook["id"], all_in_state("delivered"))


@pytest.mark.guarantee("A34")
async def test_an_endpoint_that_fails_for_days_is_disabled_and_its_vendor_sees_why(
    ingest: IngestService, endpoint: Endpoint, client: httpx.AsyncClient
) -> None:
    hook = await register(client, endpoint.url)
    endpoint.behave = answers(500)
    await empty_call(client)
    await deliveries_once(client, hook["id"], all_in_state("failed"))
    still = await webhook_once(client, hook["id"], lambda shown: shown["failing_since"] is not None)
    assert still["state"] == "enabled"
    age = "UPDATE webhooks SET failing_since = failing_since - interval '5 days' WHERE id = CAST(:id AS uuid)"
    await ingest.query(age, id=hook["id"])
    await empty_call(client)
    shown = await webhook_once(client, hook["id"], lambda shown: shown["state"] == "disabled")
    assert shown["disabled_reason"] == "failing"
    assert "webhook.disabled" in ingest.log_text()
    assert 'otokura_ingest_webhooks_disabled_total{reason="failing"}' in (await client.get("/metrics")).text


@pytest.mark.guarantee("A34")
async def test_slow_endpoints_hold_up_nobody_else(hasty: IngestService, endpoint: Endpoint) -> None:
    """Over two processes never more than two at once; then, while it fails, one. Another vendor is served."""
    vendor, stranger = await hasty.add_tenant(), await hasty.add_tenant()
    async with client_of(hasty.url, vendor) as client, client_of(hasty.url, stranger) as other:
        slow = await register(client, endpoint.url)
        endpoint.behave = hangs
        with hasty.another():
            async with Endpoint().listening() as quick:
                await register(other, quick.url)
                await asyncio.gather(*(empty_call(client) for _ in range(12)))
                await endpoint.wait_for(2)
                for number in range(5):
                    await empty_call(other)
                    await quick.wait_for(number + 1)
                states = [one["state"] for one in await deliveries(client, slow["id"])]
                assert "pending" in states
                await endpoint.wait_for(4)
    assert 1 <= endpoint.most_under_way <= 2


@pytest.mark.parametrize("behaviour", [says(b"HTTP/1.1 200 OK\r\ncontent-le"), says(b"\x00" * 1000)])
async def test_answers_that_are_cut_off_or_garbage_are_failures(
    endpoint: Endpoint, client: httpx.AsyncClient, behaviour: object
) -> None:
    hook = await register(client, endpoint.url)
    endpoint.behave = behaviour  # type: ignore[assignment] # pytest's parameters have no type
    await empty_call(client)
    [delivery] = await deliveries_once(client, hook["id"], all_in_state("failed"))
    assert (delivery["last_error"], delivery["last_status"]) == ("malformed-response", None)


async def test_an_answer_without_end_costs_nothing_and_counts(
    endpoint: Endpoint, client: httpx.AsyncClient
) -> None:
    hook = await register(client, endpoint.url)
    endpoint.behave = endless
    await empty_call(client)
    [delivery] = await deliveries_once(client, hook["id"], all_in_state("delivered"))
    assert (delivery["last_status"], delivery["attempts"]) == (200, 1)


async def locked_out(ingest: IngestService) -> None:
    """Wait until the service waits for a lock on webhooks."""
    query = (
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        " AND query LIKE '%webhooks%'"
    )
    async with asyncio.timeout(60):
        while True:
            if await ingest.query(query):
                return
            await asyncio.sleep(0.05)


@pytest.mark.guarantee("A4")
async def test_a_call_settles_while_its_webhook_is_being_deleted(
    ingest: IngestService, endpoint: Endpoint, client: httpx.AsyncClient
) -> None:
    """It waits for the deletion to be committed, and then has nobody to tell."""
    hook = await register(client, endpoint.url)
    call = await start_call(client)
    async with ingest.database() as database:
        async with database.session() as session:
            delete = text("DELETE FROM webhooks WHERE id = CAST(:id AS uuid)")
            await (await session.connection()).execute(delete, {"id": hook["id"]})
            await client.post(f"/v1/calls/{call['id']}/end")
            await locked_out(ingest)
        assert (await settled(client, call["id"]))["state"] == "empty"
    assert endpoint.received == []
