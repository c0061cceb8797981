"""A file of a gigabyte passes through a process that stays small."""

from __future__ import annotations

import httpx
import numpy as np
import pytest

from audio_files import long_wav
from ingest_service import Credentials, IngestService, settled, start_call
from phone_system import end_stream, stream, told
from process_memory import measured_from_here, peak

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.s3,
    pytest.mark.kafka,
    pytest.mark.any_broker,
    pytest.mark.slow,
]

GIGABYTE = 1_000_000_000
ALLOWED = 64_000_000


@pytest.mark.guarantee("A10")
async def test_a_gigabyte_raises_the_memory_by_less_than_64_megabytes(
    ingest: IngestService, client: httpx.AsyncClient
) -> None:
    """The peak during the upload and its examination, against what the process took just before."""
    warm = await start_call(client)
    response = await client.put(f"/v1/calls/{warm['id']}/audio", content=long_wav(1_000_000))
    assert response.status_code == 201
    process_id, before = measured_from_here(ingest)
    call = await start_call(client)
    response = await client.put(
        f"/v1/calls/{call['id']}/audio", content=long_wav(GIGABYTE), timeout=httpx.Timeout(600)
    )
    assert response.status_code == 201, response.text
    assert response.json()["recording"]["plaintext_bytes"] == GIGABYTE
    raised = peak(process_id) - before
    print(f"an upload of {GIGABYTE} bytes raised the memory by {raised / 1e6:.1f} MB")  # noqa: T201
    assert raised < ALLOWED


@pytest.mark.guarantee("A10")
async def test_a_long_call_is_recorded_and_sealed_with_flat_memory(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """An hour of two channels, 115 MB of samples, sent as fast as they are taken."""
    minute = np.random.default_rng(4).integers(-500, 500, 2 * 8000 * 60, dtype="<i2").tobytes()
    process_id, before = measured_from_here(ingest)
    call = await start_call(client)
    async with stream(ingest.url, call["id"], credentials) as socket:
        await told(socket)
        for _ in range(60):
            for start in range(0, len(minute), 64_000):
                await socket.send(minute[start : start + 64_000])
        ended = await end_stream(socket)
        assert ended.get("accepted_ms") == {"0": 3_600_000, "1": 3_600_000}, ended
    await client.post(f"/v1/calls/{call['id']}/end")
    assert (await settled(client, call["id"], patience=300))["state"] == "sealed"
    raised = peak(process_id) - before
    print(f"an hour of two channels raised the memory by {raised / 1e6:.1f} MB")  # noqa: T201
    assert raised < ALLOWED
