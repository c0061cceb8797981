"""Hostile files sent to a running ingest: each is refused in words that help, at a bounded cost."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import httpx
import psutil
import pytest

import hostile_files
from audio_files import wav
from ingest_service import Credentials, IngestService, MakeIngest, call_body, settled, start_call
from media_sources import MemorySource
from otokura.shared.errors import UnsupportedMedia
from otokura.shared.media.decoder import Limits, probe
from phone_system import speechlike
from tus_client import announce, patch

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]

HOUR = 3600
MONO = {"channels": [{"role": "mixed"}]}
MIB = 1 << 20
HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "a zip bomb": (hostile_files.zip_bomb, "cannot be opened"),
    "a gzip bomb": (hostile_files.gzip_bomb, "cannot be opened"),
    "a WAV header that claims a year": (hostile_files.wav_of_a_year, "before the end that it declares"),
    "a WAV of 150,000 chunks": (lambda: hostile_files.wav_of_chunks(150_000), "before the end"),
    "a FLAC header that claims 2^36 samples": (hostile_files.flac_of_49_days, "before the end"),
    "two hours of silence in 180 kB": (
        lambda: hostile_files.silence(2 * HOUR, "FLAC", "PCM_16"),
        "longer than 3600 seconds",
    ),
    "an Ogg chain that goes on": (lambda: hostile_files.chained_ogg(400), "longer than 3600 seconds"),
    "Matroska in Matroska": (lambda: hostile_files.nested_matroska(100_000), "cannot be opened"),
    "boxes in boxes": (lambda: hostile_files.nested_mp4(20_000), "cannot be opened"),
    "MP4 tables of 268 million entries": (
        lambda: hostile_files.mp4_of_tables(0x0FFFFFFF),
        "more memory",
    ),
    "MP4 tables of 4 billion entries": (lambda: hostile_files.mp4_of_tables(0xFFFFFFFF), "more memory"),
    "an MP4 of ten million samples": (lambda: hostile_files.mp4_of_samples(10**7), "damaged"),
    "an MP4 of two billion samples": (lambda: hostile_files.mp4_of_samples(2**31 - 1), "no audio"),
    "samples at both ends by turns": (
        lambda: hostile_files.scattered_mov(20_000, 8_000_000),
        "over and over",
    ),
}


@cache
def made(kind: str) -> tuple[bytes, str]:
    """The file, and words of its refusal."""
    make, words = HOSTILE[kind]
    return make(), words


@pytest.fixture(scope="module")
def ingest(make_ingest: MakeIngest) -> IngestService:
    """Calls of at most an hour."""
    return make_ingest(lease_seconds=3, max_call_seconds=HOUR)


@pytest.mark.guarantee("A43")
@pytest.mark.parametrize("kind", HOSTILE)
async def test_a_hostile_file_is_refused_and_its_call_goes_on(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient, kind: str
) -> None:
    """415 in words that say why; no process and no object of it stays, and a good file is still welcome."""
    data, words = made(kind)
    call = await start_call(client, **MONO)
    response = await client.put(f"/v1/calls/{call['id']}/audio", content=data)
    assert response.status_code == 415, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert words in response.json()["detail"]
    assert ingest.program.pid is not None
    assert psutil.Process(ingest.program.pid).children(recursive=True) == []
    assert await ingest.objects(f"recordings/{credentials.tenant_id}/{call['id']}/") == []
    good = wav(speechlike(1, 8000, 1), 8000, 1)
    assert (await client.put(f"/v1/calls/{call['id']}/audio", content=good)).status_code == 201


@pytest.mark.guarantee("A43")
@pytest.mark.parametrize("kind", HOSTILE)
async def test_a_hostile_file_costs_little_before_it_is_refused(kind: str) -> None:
    """20 s of processor time and 512 MB are more than enough, and it is read about three times at most."""
    data, words = made(kind)
    source = MemorySource(data)
    with pytest.raises(UnsupportedMedia, match=words):
        await probe(source, Limits(cpu_seconds=20, max_seconds=HOUR))
    assert sum(length for _, length in source.reads) <= 3 * source.size + 64 * MIB
    assert len(source.reads) < 5000


@pytest.mark.guarantee("A43")
async def test_a_hostile_file_in_parts_is_refused_as_well(
    client: httpx.AsyncClient,
) -> None:
    """The call is failed, with the reason; the process that seals goes on to the next."""
    bomb, good = hostile_files.zip_bomb(), wav(speechlike(1, 8000, 1), 8000, 1)
    call = await start_call(client, **MONO)
    answer = await patch(client, await announce(client, call, len(bomb)), bomb, 0)
    assert (answer.status_code, answer.json()["title"]) == (415, "Unsupported media")
    assert (await settled(client, call["id"]))["failure"] == answer.json()["detail"]
    after = await start_call(client, **MONO)
    assert (await patch(client, await announce(client, after, len(good)), good, 0)).status_code == 204


async def test_hostile_names_and_headers_reach_no_log(
    ingest: IngestService, client: httpx.AsyncClient
) -> None:
    """A file name with a line break and a number, as metadata and as an external id."""
    name = "evil\n0312345678.wav"
    call = await start_call(client, **MONO)
    upload = await announce(client, call, 10, name=name)
    assert (await patch(client, upload, b"0123456789", 0)).status_code == 415
    body = call_body(external_id=name)
    response = await client.post("/v1/calls", json=body, headers={"Idempotency-Key": "hostile"})
    assert response.status_code == 422
    assert "0312345678" not in ingest.log_text() + response.text
