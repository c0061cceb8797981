"""Webhooks of a running service reach no place that nobody allowed, and their secrets show nowhere."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest

from ingest_service import Credentials, IngestService, MakeIngest, client_of
from webhook_endpoint import Endpoint, answers
from webhook_vendor import ALLOWED, all_in_state, deliveries_once, empty_call, fresh_key, register

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]


@pytest.fixture(scope="module")
def ingest(make_ingest: MakeIngest) -> IngestService:
    """May reach 127.0.0.1, and says all that it can say."""
    return make_ingest(
        webhook_allowed_networks=ALLOWED,
        webhook_retry_seconds="0.1",
        webhook_timeout_seconds=2.0,
        log_level="DEBUG",
    )


@pytest.mark.guarantee("A33")
async def test_a_name_for_an_address_that_is_not_allowed_is_never_connected_to(
    client: httpx.AsyncClient,
) -> None:
    """0x7f000002 is 127.0.0.2 to the resolver. The vendor sees that it was refused, and not what it is."""
    async with Endpoint(host="127.0.0.2").listening() as private:
        hook = await register(client, f"http://0x7f000002:{private.port}/latest/meta-data")
        await empty_call(client)
        [delivery] = await deliveries_once(client, hook["id"], all_in_state("failed"))
        assert (delivery["last_error"], delivery["last_status"]) == ("address-refused", None)
        assert private.received == []
        for url in (private.url, "http://169.254.169.254/latest/meta-data", f"http://[::1]:{private.port}/"):
            body = {"url": url, "events": ["call.sealed"]}
            refused = await client.post("/v1/webhooks", json=body, headers=fresh_key())
            assert refused.json()["type"] == "urn:otokura:problem:webhook-url-refused"


@pytest.mark.guarantee("A35")
@pytest.mark.guarantee("S1")
async def test_no_secret_and_no_query_of_a_url_reaches_the_log(
    ingest: IngestService, client: httpx.AsyncClient, credentials: Credentials
) -> None:
    """Not in a success, a refusal, a redirect or a rotation, and not at the level DEBUG."""
    async with Endpoint().listening() as endpoint:
        hook = await register(client, endpoint.url)
        new = (await client.post(f"/v1/webhooks/{hook['id']}/secret", headers=fresh_key())).json()["secret"]
        await empty_call(client)
        await deliveries_once(client, hook["id"], all_in_state("delivered"))
        endpoint.behave = answers(302, "location: http://127.0.0.1/?token=location-secret")
        await empty_call(client)
        await endpoint.wait_for(3)
        signatures = [request.headers["webhook-signature"] for request in endpoint.received]
    await client.post("/v1/webhooks", json={"url": "https://u:p@x/?token=query-secret"}, headers=fresh_key())
    log = ingest.log_text()
    assert hook["id"] in log
    hidden = ["query-secret", "location-secret", credentials.api_key.split("_", 2)[2], *signatures]
    for secret in (hook["secret"], new):
        text = secret.removeprefix("whsec_")
        hidden += [text, base64.b64decode(text).hex()]
    assert [value for value in hidden if value in log] == []


@pytest.mark.guarantee("A30")
async def test_no_table_holds_a_secret_in_the_clear(ingest: IngestService, client: httpx.AsyncClient) -> None:
    """Neither where it is kept, nor among the answers kept for a repeated request."""
    hook = await register(client, "https://cti.example.com/otokura")
    new = (await client.post(f"/v1/webhooks/{hook['id']}/secret", headers=fresh_key())).json()["secret"]
    tables = await ingest.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert {"webhook_secrets", "idempotency_keys"} <= {row.tablename for row in tables}
    rows: list[str] = []
    for table in tables:
        found = await ingest.query(f"SELECT t::text AS line FROM {table.tablename} t")  # noqa: S608
        rows += [row.line for row in found]
    assert len([row for row in rows if hook["id"] in row]) >= 3
    for secret in (hook["secret"], new):
        text = secret.removeprefix("whsec_")
        raw = base64.b64decode(text)
        assert [row for row in rows if text in row or raw.hex() in row] == []


@pytest.mark.guarantee("A35")
@pytest.mark.parametrize("table", ["tenants", "clients"])
async def test_whose_rights_were_taken_away_is_told_nothing_until_they_are_given_back(
    ingest: IngestService, client: httpx.AsyncClient, credentials: Credentials, table: str
) -> None:
    """Of what happened before, too: another vendor's event passes, ours waits."""
    which = "client_id" if table == "clients" else "tenant_id"
    switch = f"UPDATE {table} SET disabled = :off WHERE {which} = CAST(:id AS uuid)"  # noqa: S608
    owner = str(getattr(credentials, which))
    stranger = await ingest.add_tenant()
    async with Endpoint().listening() as endpoint, Endpoint().listening() as theirs:
        hook = await register(client, endpoint.url)
        endpoint.behave = answers(500, "retry-after: 3600")
        await empty_call(client)
        await deliveries_once(client, hook["id"], lambda found: found[0]["attempts"] == 1)
        endpoint.behave = answers(200)
        await ingest.query(switch, off=True, id=owner)
        due = "UPDATE webhook_deliveries SET next_attempt_at = now() WHERE webhook_id = CAST(:id AS uuid)"
        await ingest.query(due, id=hook["id"])
        async with client_of(ingest.url, stranger) as other:
            await register(other, theirs.url)
            for number in range(3):
                await empty_call(other)
                await theirs.wait_for(number + 1)
        assert len(endpoint.received) == 1
        await ingest.query(switch, off=False, id=owner)
        first, second = await endpoint.wait_for(2)
        assert first.webhook_id == second.webhook_id
        second.verified(hook["secret"])


async def test_every_change_of_where_data_goes_stands_in_the_log(
    ingest: IngestService, client: httpx.AsyncClient, credentials: Credentials
) -> None:
    """With the client and the host, and without what else the URL holds."""
    hook = await register(client, "https://cti.example.com/otokura?token=query-secret", "call.sealed")
    path = f"/v1/webhooks/{hook['id']}"
    await client.patch(path, json={"url": "https://new.example.com/?token=query-secret"})
    await client.post(f"{path}/secret", headers=fresh_key())
    disable = (
        "UPDATE webhooks SET state = 'disabled', disabled_reason = 'gone', disabled_at = now()"
        " WHERE id = CAST(:id AS uuid)"
    )
    await ingest.query(disable, id=hook["id"])
    await client.post(f"{path}/enable")
    await client.post(f"{path}/enable")
    await client.delete(path)
    rows = await ingest.query("SELECT data FROM outbox WHERE kind = 'audit' ORDER BY id")
    entries = [json.loads(row.data) for row in rows if hook["id"] in row.data]
    assert [entry["action"] for entry in entries] == [
        "webhook.registered", "webhook.changed", "webhook.secret-changed", "webhook.enabled",
        "webhook.removed",
    ]  # fmt: skip
    assert {entry["reader"] for entry in entries} == {str(credentials.client_id)}
    hosts = [entry["detail"].get("host") for entry in entries]
    assert hosts == ["cti.example.com", "new.example.com", None, None, None]
    assert "query-secret" not in json.dumps(entries)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"url": "https://10.0.0.1/secret-path"}, 422),
        ({"url": "https://user:secret-path@example.com/"}, 422),
        ({"url": "https://example.com:22/secret-path"}, 422),
        ({"url": "file:///secret-path"}, 422),
        ({"url": "secret-path"}, 422),
        ({"url": "https://example.com/secret-path" + "x" * 2048}, 422),
        ({"url": None}, 422),
        ({"events": []}, 422),
        ({"events": ["call.secret-path"]}, 422),
        ({"description": "x" * 201}, 422),
        ({"unknown": "secret-path"}, 422),
    ],
)
async def test_what_cannot_be_meant_is_refused_and_not_repeated(
    client: httpx.AsyncClient, change: dict[str, Any], status: int
) -> None:
    good = "https://cti.example.com/otokura"
    body = {"url": good, "events": ["call.sealed"], **change}
    for answer in (
        await client.post("/v1/webhooks", json=body, headers=fresh_key()),
        await client.patch(f"/v1/webhooks/{(await register(client, good))['id']}", json=change),
    ):
        assert answer.status_code == status
        assert "secret-path" not in answer.text
    assert len((await client.get("/v1/webhooks")).json()["items"]) == 1
