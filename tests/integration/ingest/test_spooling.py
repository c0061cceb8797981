"""The store goes away under a call that cannot send again: what waits survives and is delivered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest

from dialects.media_streams import Twilio
from dialects.outcome import accepted, call_of, expected, sealed, speech
from ingest_service import Credentials, IngestService, MakeIngest, client_of
from messaging import eventually
from otokura.cli.local.seaweedfs import SeaweedServer
from otokura.ingest.spool import Label
from tcp_line import TcpLine, tcp_line

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]

RATE, DIALECT = 8000, Twilio()


@pytest.fixture(scope="module")
def store(s3_server: SeaweedServer) -> Iterator[TcpLine]:
    """The line to the store."""
    with tcp_line(urlsplit(s3_server.endpoint).port or 0) as line:
        yield line


@pytest.fixture(scope="module")
def ingest(make_ingest: MakeIngest, store: TcpLine) -> IngestService:
    """Segments of a second; a spool that holds about eight seconds of a call."""
    return make_ingest(
        segment_seconds=1,
        flush_seconds=0.5,
        lease_seconds=3,
        store_patience_seconds=2,
        spool_bytes=140_000,
        s3_endpoint=f"http://127.0.0.1:{store.port}",
    )


@pytest.fixture
async def client(
    ingest: IngestService, credentials: Credentials, store: TcpLine
) -> AsyncIterator[httpx.AsyncClient]:
    """The vendor's HTTP client; whatever happens, the store is back afterwards."""
    async with client_of(ingest.url, credentials) as found:
        try:
            yield found
        finally:
            store.cut()
            store.mend()


def spool(ingest: IngestService) -> list[Path]:
    """The files of the spool now."""
    return sorted(ingest.folder.glob("ingest-spool/*.spooled"))


async def spooled(ingest: IngestService, count: int) -> list[Path]:
    """The files of the spool, when there are so many."""
    await eventually(lambda: len(spool(ingest)) >= count)
    return spool(ingest)


async def accepted_or_spooled(
    ingest: IngestService, client: httpx.AsyncClient, call_id: str, samples: int
) -> list[Path]:
    """The files of the spool, when they hold all of the call that is not accepted; the store is away."""

    async def are_there() -> bool:
        found: int = (await client.get(f"/v1/calls/{call_id}")).json()["accepted_samples"]
        for path in spool(ingest):
            with suppress(FileNotFoundError), path.open("rb") as file:
                found += Label.model_validate_json(file.readline()).samples
        return found == samples

    await eventually(are_there)
    return spool(ingest)


@pytest.mark.guarantee("A15")
async def test_what_is_spooled_survives_kill_9_and_is_delivered_by_the_next_process(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient, store: TcpLine
) -> None:
    """Two seconds are accepted, three are spooled when ingest dies; the client never comes back.

    On the disk they are ciphertext; in the recording they are there, sample for sample.
    """
    external_id, audio = DIALECT.new_id(), speech(DIALECT, 5.0)
    wire = await DIALECT.open(ingest, credentials, external_id, notice="announced")
    pieces = DIALECT.pieces(audio)
    for piece in pieces[: 2 * 100 + 10]:
        await wire.send(piece.wire)
    call_id = await call_of(ingest, external_id)
    await accepted(client, call_id, 2 * RATE)
    store.cut()
    for piece in pieces[2 * 100 + 10 :]:
        await wire.send(piece.wire)
    files = await accepted_or_spooled(ingest, client, call_id, 5 * RATE)
    ingest.program.kill()
    for leg in audio:
        assert not any(
            leg[RATE * second :][:160] in path.read_bytes() for second in (2, 3, 4) for path in files
        )
    await ingest.restart()
    store.mend()
    await accepted(client, call_id, 5 * RATE)
    await client.post(f"/v1/calls/{call_id}/end")
    outcome = await sealed(ingest, client, external_id)
    assert outcome.manifest.gaps == []
    assert np.array_equal(outcome.samples, expected(DIALECT, audio))
    await eventually(lambda: spool(ingest) == [])


@pytest.mark.guarantee("A15")
async def test_an_end_that_comes_while_audio_waits_follows_it(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient, store: TcpLine
) -> None:
    """The phone system hangs up while the store is away: the call is `ending`, and sealed whole later."""
    external_id, audio = DIALECT.new_id(), speech(DIALECT, 3.0)
    wire = await DIALECT.open(ingest, credentials, external_id, notice="announced")
    call_id = await call_of(ingest, external_id)
    store.cut()
    await DIALECT.send(wire, audio)
    await spooled(ingest, 2)
    answer = await client.post(f"/v1/calls/{call_id}/end")
    assert (answer.status_code, answer.json()["state"], answer.json()["ending"]) == (202, "live", True)
    late = await DIALECT.open(ingest, credentials, external_id, notice="announced")
    assert await late.closed() in (4409, 4503, 1011), "no new call begins while audio waits"
    store.mend()
    outcome = await sealed(ingest, client, external_id)
    assert np.array_equal(outcome.samples, expected(DIALECT, audio))


@pytest.mark.guarantee("A15")
async def test_a_full_spool_ends_the_stream_and_says_what_was_not_stored(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient, store: TcpLine
) -> None:
    """Twenty seconds where eight fit: the connection is closed, and what fitted is kept."""
    external_id, audio = DIALECT.new_id(), speech(DIALECT, 20.0)
    wire = await DIALECT.open(ingest, credentials, external_id, notice="announced")
    call_id = await call_of(ingest, external_id)
    store.cut()
    sending = asyncio.create_task(DIALECT.send(wire, audio))
    assert await wire.closed() == 1011
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    size = sum(path.stat().st_size for path in await spooled(ingest, 5))
    assert size <= 140_000
    metrics = (await client.get("/metrics")).text
    assert f"otokura_ingest_spooled_bytes {float(size)}" in metrics
    store.mend()
    await client.post(f"/v1/calls/{call_id}/end")
    outcome = await sealed(ingest, client, external_id)
    kept = len(outcome.samples)
    assert 6 * RATE <= kept < 20 * RATE
    assert np.array_equal(outcome.samples, expected(DIALECT, audio)[:kept])
