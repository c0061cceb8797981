"""What a vendor does with webhooks: registers endpoints, has calls, looks at what was delivered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx

import servers
from audio_files import wav
from ingest_service import Credentials, IngestService, settled, start_call
from messaging import settings_of
from otokura.shared.cloudevents import encode
from otokura.shared.events import EventData, TranscriptCompleted
from otokura.shared.ids import uuid7
from otokura.shared.producer import Producer
from phone_system import speechlike

ALL_EVENTS = ["call.sealed", "call.failed", "call.empty", "call.transcribed"]

ALLOWED = "127.0.0.1/32"
"""Tests' endpoints are on this machine; a service that is to reach them is told so."""


def fresh_key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid7())}


async def register(client: httpx.AsyncClient, url: str, *events: str) -> dict[str, Any]:
    """A new endpoint, as it was answered: with its secret."""
    body = {"url": url, "events": list(events) or ALL_EVENTS}
    response = await client.post("/v1/webhooks", json=body, headers=fresh_key())
    assert response.status_code == 201, response.text
    created: dict[str, Any] = response.json()
    return created


async def empty_call(client: httpx.AsyncClient, **changes: Any) -> str:
    """A call without audio, settled; its id."""
    call = await start_call(client, **changes)
    assert (await client.post(f"/v1/calls/{call['id']}/end")).status_code < 300
    assert (await settled(client, call["id"]))["state"] == "empty"
    return str(call["id"])


async def sealed_call(client: httpx.AsyncClient) -> dict[str, Any]:
    """An uploaded call of one second, as it is shown."""
    call = await start_call(client)
    file = wav(speechlike(1, 8000, 2), 8000, 2)
    response = await client.put(f"/v1/calls/{call['id']}/audio", content=file)
    assert response.status_code == 201, response.text
    shown: dict[str, Any] = response.json()
    return shown


async def deliveries(client: httpx.AsyncClient, webhook_id: str) -> list[dict[str, Any]]:
    """All that was or is to be delivered, newest first."""
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        query = {"limit": "2"} if cursor is None else {"limit": "2", "cursor": cursor}
        response = await client.get(f"/v1/webhooks/{webhook_id}/deliveries", params=query)
        assert response.status_code == 200, response.text
        page = response.json()
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


async def webhook_once(
    client: httpx.AsyncClient, webhook_id: str, is_so: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """The endpoint as it is shown, once it is so."""
    async with asyncio.timeout(60):
        while True:
            shown: dict[str, Any] = (await client.get(f"/v1/webhooks/{webhook_id}")).json()
            if is_so(shown):
                return shown
            await asyncio.sleep(0.05)


async def deliveries_once(
    client: httpx.AsyncClient, webhook_id: str, is_so: Callable[[list[dict[str, Any]]], bool]
) -> list[dict[str, Any]]:
    """The deliveries, newest first, once they are so."""
    async with asyncio.timeout(60):
        while True:
            found = await deliveries(client, webhook_id)
            if is_so(found):
                return found
            await asyncio.sleep(0.05)


def all_in_state(state: str) -> Callable[[list[dict[str, Any]]], bool]:
    """Whether there is a delivery and each is in this state."""
    return lambda found: bool(found) and all(one["state"] == state for one in found)


def colleague(ingest: IngestService, credentials: Credentials) -> httpx.AsyncClient:
    """Another client of the same tenant."""
    other = Credentials(credentials.tenant_id, UUID(str(uuid7())), "")
    headers = {"Authorization": f"Bearer {ingest.token(other)}"}
    return httpx.AsyncClient(base_url=ingest.url, headers=headers, timeout=60, verify=servers.PLAIN)


async def publish(broker: servers.KafkaServer, *events: EventData) -> None:
    """What transcribe would."""
    producer = Producer(settings_of(broker))
    records = [encode(event, uuid7(), "transcribe/test", datetime.now(UTC)) for event in events]
    try:
        await producer.send(*records)
    finally:
        await producer.stop()


def completed(credentials: Credentials, call_id: str, **changes: Any) -> TranscriptCompleted:
    values: dict[str, Any] = {
        "call_id": UUID(call_id),
        "tenant_id": credentials.tenant_id,
        "version": 1,
        "bucket": "transcripts",
        "object": f"transcripts/{call_id}/1",
        "language": "ja",
        "turns": 4,
        "words": 40,
        "characters": 160,
        "duration_ms": 1000,
        "plaintext_bytes": 900,
        "plaintext_sha256": "ab" * 32,
        "engine": "whisper",
        "model": "base",
        "completed_at": datetime.now(UTC),
    }
    return TranscriptCompleted(**{**values, **changes})
