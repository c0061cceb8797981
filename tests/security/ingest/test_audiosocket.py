"""Who may send over AudioSocket: whoever knows a UUID that was given out, while its call lives."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from dialects.audiosocket import HANGUP, TcpWire, frame, register, uuid_frame
from dialects.outcome import accepted, sealed
from ingest_service import Credentials, IngestService, MakeIngest, client_of, settled, start_call
from otokura.ingest.connections.lookup import MAX_AGE
from otokura.ingest.dialects.audiosocket import REFUSAL_SECONDS
from otokura.shared.ids import uuid7

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]

AUDIO = frame(0x10, b"\x01\x02" * 160)
MONO = [{"role": "mixed"}]


@pytest.fixture(scope="module")
def ingest(make_ingest: MakeIngest) -> IngestService:
    """One that waits for nobody, and takes few."""
    return make_ingest(
        lease_seconds=3, flush_seconds=1.0, stream_start_seconds=2.0, audiosocket_connections=8
    )


@pytest.fixture(scope="module")
def patient(make_ingest: MakeIngest) -> IngestService:
    """One on which nothing but another connection ends a silent one while a test runs."""
    return make_ingest(
        lease_seconds=3, flush_seconds=1.0, stream_start_seconds=60.0, audiosocket_connections=8
    )


async def refusals(ingest: IngestService) -> dict[str, float]:
    """How many connections were refused, by reason."""
    async with httpx.AsyncClient(base_url=ingest.url, timeout=30) as client:
        lines = (await client.get("/metrics")).text.splitlines()
    prefix = 'otokura_ingest_audiosockets_refused_total{reason="'
    found = [line.removeprefix(prefix).split('"} ') for line in lines if line.startswith(prefix)]
    return {reason: float(count) for reason, count in found}


async def registered(client: httpx.AsyncClient) -> tuple[str, dict[str, Any]]:
    """A call's id, and what AudioSocket needs for it."""
    call = await start_call(client, external_id=f"as-{uuid7()}", channels=MONO)
    return call["id"], await register(client, call["id"])


async def refused(ingest: IngestService, address: str, first: bytes, reason: str) -> None:
    """Closed without a word, and counted."""
    before = (await refusals(ingest)).get(reason, 0)
    wire = await TcpWire.connect(address)
    await wire.send(first)
    await wire.closed()
    assert (await refusals(ingest)).get(reason, 0) == before + 1


@pytest.mark.guarantee("A58")
async def test_a_uuid_that_was_not_given_out_opens_nothing(
    ingest: IngestService, client: httpx.AsyncClient
) -> None:
    """Random ones, that of zeros, and the ids of the call itself."""
    call_id, known = await registered(client)
    for name in (str(uuid4()), str(UUID(int=0)), call_id):
        await refused(ingest, known["address"], uuid_frame(name) + AUDIO, "unknown")
    assert (await client.get(f"/v1/calls/{call_id}")).json()["accepted_samples"] == 0


@pytest.mark.guarantee("A58")
async def test_a_uuid_is_useless_when_its_call_has_ended(
    ingest: IngestService, client: httpx.AsyncClient
) -> None:
    call_id, known = await registered(client)
    await client.post(f"/v1/calls/{call_id}/end")
    await settled(client, call_id)
    await refused(ingest, known["address"], uuid_frame(known["uuid"]) + AUDIO, "unknown")


@pytest.mark.guarantee("A58")
async def test_a_uuid_of_a_disabled_tenant_opens_nothing(ingest: IngestService) -> None:
    credentials = await ingest.add_tenant()
    async with client_of(ingest.url, credentials) as client:
        _, known = await registered(client)
    await ingest.disable(credentials)
    await asyncio.sleep(MAX_AGE)
    await refused(ingest, known["address"], uuid_frame(known["uuid"]) + AUDIO, "unknown")


@pytest.mark.guarantee("A58")
async def test_only_the_registered_networks_may_connect(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """The vendor may bind its UUIDs to where its Asterisk is."""
    _, known = await registered(client)
    await client.put("/v1/connections/audiosocket", json={"networks": ["192.0.2.0/24"]})
    await refused(ingest, known["address"], uuid_frame(known["uuid"]) + AUDIO, "network")
    await client.put("/v1/connections/audiosocket", json={"networks": ["192.0.2.0/24", "127.0.0.0/8"]})
    await asyncio.sleep(MAX_AGE)
    wire = await TcpWire.connect(known["address"])
    await wire.send(uuid_frame(known["uuid"]) + AUDIO + HANGUP)
    await wire.closed()
    del credentials


@pytest.mark.guarantee("A58")
@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (AUDIO, "without-uuid"),
        (HANGUP, "without-uuid"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "malformed"),
        (b"\x01\x00\x11" + bytes(17), "malformed"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "malformed"),
        (b"", "silent"),
        (b"\x01\x00\x10\x00", "silent"),
    ],
    ids=["audio", "hangup", "HTTP", "long UUID", "TLS", "nothing", "half a UUID"],
)
async def test_what_does_not_begin_with_a_uuid_is_closed(
    ingest: IngestService, client: httpx.AsyncClient, first: bytes, reason: str
) -> None:
    """At once where it is certain, else when the time for it is over."""
    _, known = await registered(client)
    await refused(ingest, known["address"], first, reason)


async def test_refusals_say_nothing_and_log_no_uuid(ingest: IngestService, client: httpx.AsyncClient) -> None:
    """Unknown and wrong network take the same time; a UUID is a secret even when it is wrong."""
    _, known = await registered(client)
    name = str(uuid4())
    began = asyncio.get_running_loop().time()
    await refused(ingest, known["address"], uuid_frame(name), "unknown")
    assert asyncio.get_running_loop().time() - began >= REFUSAL_SECONDS
    assert name not in ingest.log_text()
    assert known["uuid"] not in ingest.log_text()


@pytest.mark.guarantee("A58")
async def test_sockets_that_say_nothing_keep_no_call_out(patient: IngestService) -> None:
    """A full house displaces one that has said nothing; one that is recording stays."""
    async with client_of(patient.url, await patient.add_tenant()) as client:
        call_id, known = await registered(client)
        recording = await TcpWire.connect(known["address"])
        await recording.send(uuid_frame(known["uuid"]) + AUDIO)
        await accepted(client, call_id, 160)
        silent = [await TcpWire.connect(known["address"]) for _ in range(7)]
        other_id, other = await registered(client)
        wire = await TcpWire.connect(other["address"])
        await wire.send(uuid_frame(other["uuid"]) + AUDIO)
        await accepted(client, other_id, 160)
        await silent[0].closed()
        assert (await refusals(patient))["displaced"] >= 1
        await recording.send(AUDIO + HANGUP)
        await recording.closed()
        external_id = (await client.get(f"/v1/calls/{call_id}")).json()["external_id"]
        outcome = await sealed(patient, client, external_id)
    assert outcome.samples[:160].tobytes() == outcome.samples[-160:].tobytes() == AUDIO[3:]
    for one in (*silent[1:], wire):
        await one.close()
