"""tuspy, the protocol's own client for Python, which nobody here wrote, against our server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import httpx
import pytest
from tusclient.client import TusClient
from tusclient.exceptions import TusUploadFailed

from audio_files import wav
from ingest_service import Credentials, IngestService, start_call
from phone_system import speechlike
from tus_client import MIB

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]

WAV = wav(speechlike(60, 48_000, 2), 48_000, 2)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[BinaryIO]:
    """Open, for tuspy leaves open what it opens itself."""
    path = tmp_path / "call.wav"
    path.write_bytes(WAV)
    with path.open("rb") as opened:
        yield opened


def tus(ingest: IngestService, credentials: Credentials, call: dict[str, Any]) -> TusClient:
    return TusClient(f"{ingest.url}/v1/calls/{call['id']}/uploads", headers=credentials.headers)


@pytest.mark.guarantee("A40")
@pytest.mark.parametrize(
    "options",
    [{}, {"chunk_size": 3 * MIB}, {"chunk_size": 2 * MIB, "upload_checksum": True}],
    ids=["in one request", "in chunks", "with checksums"],
)
async def test_the_official_client_uploads_a_recording(
    ingest: IngestService,
    credentials: Credentials,
    client: httpx.AsyncClient,
    file: BinaryIO,
    options: dict[str, Any],
) -> None:
    call = await start_call(client)
    metadata = {"filename": "通話.wav"}
    uploader = tus(ingest, credentials, call).uploader(file_stream=file, metadata=metadata, **options)
    await asyncio.to_thread(uploader.upload)
    assert uploader.offset == len(WAV)
    assert (await client.get(f"/v1/calls/{call['id']}")).json()["state"] == "sealed"
    assert (await ingest.recording(call["id"]))[1] == WAV


@pytest.mark.guarantee("A40")
async def test_the_official_client_goes_on_after_it_was_stopped(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient, file: BinaryIO
) -> None:
    """Another that knows the address asks how far the first had got, and sends the rest."""
    call = await start_call(client)
    first = tus(ingest, credentials, call).uploader(file_stream=file, chunk_size=2 * MIB)
    for _ in range(2):
        await asyncio.to_thread(first.upload_chunk)
    second = tus(ingest, credentials, call).uploader(file_stream=file, url=first.url)
    assert second.offset == 4 * MIB
    await asyncio.to_thread(second.upload)
    assert (await ingest.recording(call["id"]))[1] == WAV


async def test_the_official_client_hears_why_a_file_is_refused(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    path = tmp_path / "letter.wav"
    path.write_bytes(b"Dear sir, please find attached the recording.\n" * 200)
    call = await start_call(client)
    with path.open("rb") as file, pytest.raises(TusUploadFailed) as refusal:
        await asyncio.to_thread(tus(ingest, credentials, call).uploader(file_stream=file).upload)
    assert refusal.value.status_code == 415
    assert b"of another kind" in refusal.value.response_content
