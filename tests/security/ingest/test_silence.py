"""What lies about: objects are ciphertext, names are ids, and the log says nothing of content."""

from __future__ import annotations

import json
import re

import httpx
import pytest

from audio_files import wav
from ingest_service import Credentials, IngestService, settled, start_call
from phone_system import end_stream, send_all, speechlike, stream, told

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]


async def test_no_stored_object_holds_plaintext(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """Segments and recordings are ciphertext, and their names hold ids and numbers only."""
    live, uploaded = await start_call(client), await start_call(client)
    pcm = speechlike(3, 8000, 2)
    file = wav(pcm, 8000, 2)
    async with stream(ingest.url, live["id"], credentials) as socket:
        await told(socket)
        await send_all(socket, pcm)
        await end_stream(socket)
    assert (await client.put(f"/v1/calls/{uploaded['id']}/audio", content=file)).status_code == 201
    names = [
        *await ingest.objects(f"segments/{credentials.tenant_id}/{live['id']}/"),
        *await ingest.objects(f"recordings/{credentials.tenant_id}/{uploaded['id']}/"),
    ]
    assert len(names) == 2
    async with ingest.store() as store:
        for name in names:
            stored = await store.get("recordings", name)
            assert len(stored) >= len(pcm)
            assert not any(pcm[start : start + 16] in stored for start in range(0, len(pcm), 1600))
            assert b"RIFF" not in stored[:100]
            assert re.fullmatch(r"(segments|recordings)/[0-9a-f-]{36}/[0-9a-f-]{36}/[0-9]+(-[0-9]+)?", name)


async def test_the_log_knows_no_number_key_or_credential(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """A whole call, refusals among it, leaves no personal or secret value in the log."""
    call = await start_call(client)
    await client.put(f"/v1/calls/{call['id']}/audio?token=query-secret", content=b"not audio")
    async with stream(ingest.url, call["id"], credentials) as socket:
        await told(socket)
        await send_all(socket, speechlike(1, 8000, 2))
        await end_stream(socket)
    await client.post(f"/v1/calls/{call['id']}/end")
    await settled(client, call["id"])
    log, dek = ingest.log_text(), await ingest.dek(call["id"])
    assert call["id"] in log
    secret = credentials.api_key.split("_", 2)[2]
    values = ["+8131234", "+8112000", secret, "query-secret", dek.hex(), ingest.store_settings.secret_key]
    assert [value for value in values if value in log] == []
    assert all(json.loads(line) for line in log.splitlines() if line.strip())
