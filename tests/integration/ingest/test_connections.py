"""Connections over HTTP: registered, shown without their secrets, replaced, removed, written down."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from typing import Any

import httpx
import pytest

from ingest_service import Credentials, IngestService
from otokura.ingest.connections.lookup import MAX_AGE, Connections
from otokura.ingest.connections.views import Dialect
from otokura.ingest.vendor_secrets import VendorSecrets
from otokura.shared.errors import IntegrityError

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]


def client_secret() -> tuple[str, bytes]:
    key = secrets.token_bytes(32)
    return base64.b64encode(key).decode(), key


async def entries(ingest: IngestService, tenant_id: object) -> list[dict[str, Any]]:
    rows = await ingest.query("SELECT data FROM outbox WHERE kind = 'audit' ORDER BY id")
    drafts = [json.loads(row.data) for row in rows]
    return [draft for draft in drafts if draft["tenant_id"] == str(tenant_id)]


@pytest.mark.guarantee("A55")
async def test_a_secret_goes_in_and_never_comes_out(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """Not in an answer, an entry, a log line, or the database in the clear; adapters can compute with it."""
    text, key = client_secret()
    body = {"client_secret": text, "defaults": {"purposes": ["quality"], "language": "ja"}}
    made = await client.put("/v1/connections/audiohook", json=body)
    assert made.status_code == 201, made.text
    assert made.json()["secret_registered"] is True
    shown = await client.get("/v1/connections/audiohook")
    assert shown.json() == made.json()
    listed = await client.get("/v1/connections")
    assert listed.json()["items"] == [made.json()]
    told = await entries(ingest, credentials.tenant_id)
    assert [entry["action"] for entry in told] == ["connection.registered"]
    rows = await ingest.query("SELECT * FROM connections")
    everywhere = made.text + shown.text + listed.text + json.dumps(told) + ingest.log_text() + repr(rows)
    assert text not in everywhere
    assert not any(key in bytes(value) for row in rows for value in row if isinstance(value, bytes))
    async with ingest.database() as database:
        found = await Connections(database, VendorSecrets(ingest.keys)).find(
            credentials.client_id, Dialect.AUDIOHOOK
        )
    assert found is not None
    assert found.secret == key


@pytest.mark.guarantee("A55")
async def test_a_secret_that_was_moved_opens_nothing(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """Its row bound to another tenant's, as somebody with the database might do."""
    text, _ = client_secret()
    await client.put("/v1/connections/audiohook", json={"client_secret": text})
    other = await ingest.add_tenant()
    await ingest.query(
        "UPDATE connections SET tenant_id = :tenant WHERE client_id = :client",
        tenant=other.tenant_id,
        client=credentials.client_id,
    )
    async with ingest.database() as database:
        lookup = Connections(database, VendorSecrets(ingest.keys))
        with pytest.raises(IntegrityError):
            await lookup.find(credentials.client_id, Dialect.AUDIOHOOK)


async def test_defaults_change_without_the_secret(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """A PUT replaces everything but a secret that it leaves out; a new secret replaces the old one."""
    first, second = client_secret(), client_secret()
    await client.put("/v1/connections/audiohook", json={"client_secret": first[0]})
    changed = await client.put("/v1/connections/audiohook", json={"defaults": {"language": "en"}})
    assert changed.status_code == 200, changed.text
    assert changed.json()["secret_registered"] is True
    assert changed.json()["defaults"]["language"] == "en"
    async with ingest.database() as database:
        lookup = Connections(database, VendorSecrets(ingest.keys))
        before = await lookup.find(credentials.client_id, Dialect.AUDIOHOOK)
        assert before is not None
        assert before.secret == first[1]
        await client.put("/v1/connections/audiohook", json={"client_secret": second[0]})
        await asyncio.sleep(MAX_AGE)
        after = await lookup.find(credentials.client_id, Dialect.AUDIOHOOK)
        assert after is not None
        assert after.secret == second[1]


async def test_a_removed_connection_is_gone(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    await client.put("/v1/connections/audiosocket", json={"networks": ["10.0.0.0/8"]})
    assert (await client.delete("/v1/connections/audiosocket")).status_code == 204
    assert (await client.delete("/v1/connections/audiosocket")).status_code == 404
    missing = await client.get("/v1/connections/audiosocket")
    assert missing.status_code == 404
    assert missing.json()["type"] == "urn:otokura:problem:connection-not-found"
    told = await entries(ingest, credentials.tenant_id)
    assert [entry["action"] for entry in told] == ["connection.registered", "connection.removed"]
    async with ingest.database() as database:
        lookup = Connections(database, VendorSecrets(ingest.keys))
        assert await lookup.find(credentials.client_id, Dialect.AUDIOSOCKET) is None


async def test_clients_do_not_see_each_others(ingest: IngestService, client: httpx.AsyncClient) -> None:
    text, _ = client_secret()
    await client.put("/v1/connections/audiohook", json={"client_secret": text})
    other = await ingest.add_tenant()
    async with httpx.AsyncClient(base_url=ingest.url, headers=other.headers) as stranger:
        assert (await stranger.get("/v1/connections")).json() == {"items": []}
        assert (await stranger.get("/v1/connections/audiohook")).status_code == 404
        assert (await stranger.delete("/v1/connections/audiohook")).status_code == 404


@pytest.mark.parametrize(
    ("dialect", "body", "problem"),
    [
        ("audiohook", {}, "unfit-connection"),
        ("twilio", {}, "unfit-connection"),
        ("twilio", {"client_secret": "QUJDREVGR0hJSktMTU5PUA=="}, "unfit-connection"),
        ("jambonz", {"defaults": {"purposes": ["marketing"]}}, "unknown-purpose"),
        ("jambonz", {"defaults": {"channels": [{"role": "nobody"}]}}, "unprocessable"),
        ("carrier-pigeon", {}, "unprocessable"),
    ],
)
async def test_what_does_not_fit_is_refused_in_words(
    client: httpx.AsyncClient, dialect: str, body: dict[str, Any], problem: str
) -> None:
    refused = await client.put(f"/v1/connections/{dialect}", json=body)
    assert refused.status_code == 422
    assert refused.json()["type"] == f"urn:otokura:problem:{problem}"
