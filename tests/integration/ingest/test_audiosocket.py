"""AudioSocket: rates, legs, silence, hangups, and what is recorded of what Asterisk sends."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from dialects.audiosocket import HANGUP, TcpWire, frame, register, uuid_frame
from dialects.outcome import accepted, sealed
from dialects.speaking import spoken, without_standing_still
from ingest_service import Credentials, IngestService, settled, start_call
from otokura.ingest.dialects.audiosocket_frames import RATES
from otokura.shared.ids import uuid7

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]

RATE = 8000
MONO = [{"role": "mixed"}]
PAIR = [{"role": "customer"}, {"role": "agent"}]


def noise(samples: int, seed: int = 0) -> bytes:
    return np.random.default_rng(seed).integers(-20000, 20000, samples, dtype=np.int16).tobytes()


def frames(samples: bytes, kind: int = 0x10, size: int = 320) -> list[bytes]:
    """Of 20 ms each."""
    return [frame(kind, samples[at : at + size]) for at in range(0, len(samples), size)]


def audio(samples: bytes, kind: int = 0x10, size: int = 320) -> bytes:
    """Frames of 20 ms, at once."""
    return b"".join(frames(samples, kind, size))


async def begin(client: httpx.AsyncClient, channels: list[dict[str, str]]) -> tuple[str, str]:
    """Id and external id of a new call."""
    external_id = f"as-{uuid7()}"
    call = await start_call(client, external_id=external_id, channels=channels)
    return call["id"], external_id


async def leg(client: httpx.AsyncClient, call_id: str, channel: int = 0) -> TcpWire:
    """A socket that has said its UUID."""
    registered = await register(client, call_id, channel)
    wire = await TcpWire.connect(registered["address"])
    await wire.send(uuid_frame(registered["uuid"]))
    return wire


def told(manifest: Any) -> list[tuple[str, int | None]]:
    return [(gap.reason, gap.channel) for gap in manifest.gaps]


@pytest.mark.guarantee("A59")
@pytest.mark.parametrize(("kind", "rate"), RATES.items(), ids=[str(rate) for rate in RATES.values()])
async def test_every_rate_is_sealed_sample_for_sample(
    ingest: IngestService, client: httpx.AsyncClient, kind: int, rate: int
) -> None:
    """The first frame of audio says which it is."""
    call_id, external_id = await begin(client, MONO)
    samples = noise(rate // 4, kind)
    wire = await leg(client, call_id)
    await wire.send(audio(samples, kind, rate // 50 * 2) + HANGUP)
    await wire.closed()
    outcome = await sealed(ingest, client, external_id)
    assert outcome.samples.tobytes() == samples
    assert outcome.manifest.sample_rate == rate
    assert outcome.manifest.gaps == []


async def test_a_hangup_and_a_closed_socket_both_end_the_call(
    ingest: IngestService, client: httpx.AsyncClient
) -> None:
    """Asterisk does either; everything that came before is recorded."""
    samples = noise(RATE)
    for farewell in (HANGUP, None):
        call_id, external_id = await begin(client, MONO)
        wire = await leg(client, call_id)
        await wire.send(audio(samples))
        await (wire.close() if farewell is None else wire.send(farewell))
        outcome = await sealed(ingest, client, external_id)
        assert outcome.samples.tobytes() == samples
        if farewell is not None:
            await wire.closed()


async def test_a_hangup_before_any_audio_settles_the_call_as_empty(client: httpx.AsyncClient) -> None:
    call_id, _ = await begin(client, MONO)
    wire = await leg(client, call_id)
    await wire.send(HANGUP)
    await wire.closed()
    assert (await settled(client, call_id))["state"] == "empty"


async def test_a_broken_connection_ends_no_call(ingest: IngestService, client: httpx.AsyncClient) -> None:
    """The next socket goes on with it, with the same UUID; between them lies a gap."""
    call_id, external_id = await begin(client, MONO)
    registered = await register(client, call_id)
    before, after = noise(RATE, 1), noise(RATE, 2)
    for part in (before, after):
        wire = await TcpWire.connect(registered["address"])
        await wire.send(uuid_frame(registered["uuid"]) + audio(part))
        if part is before:
            await accepted(client, call_id, RATE)
            await wire.abort()
            await asyncio.sleep(0.3)
    await wire.send(HANGUP)
    await wire.closed()
    outcome = await sealed(ingest, client, external_id)
    assert outcome.samples[:RATE].tobytes() == before
    assert outcome.samples[-RATE:].tobytes() == after
    assert set(told(outcome.manifest)) <= {("lost", None)}


@pytest.mark.guarantee("A59")
async def test_what_is_no_audio_is_not_recorded_and_digits_are_nowhere(
    ingest: IngestService, client: httpx.AsyncClient
) -> None:
    """Silence is silence; an error and the keys that somebody pressed leave no trace in audio or log."""
    call_id, external_id = await begin(client, MONO)
    samples = noise(RATE)
    wire = await leg(client, call_id)
    digits = b"".join(frame(0x03, digit.encode()) for digit in "4929876543210987")
    silence = frame(0x02, b"")
    await wire.send(digits + audio(samples) + digits + frame(0xFF, b"\x02") + silence * 5 + HANGUP)
    await wire.closed()
    outcome = await sealed(ingest, client, external_id)
    assert outcome.samples.tobytes() == samples + bytes(5 * 320)
    log = ingest.log_text()
    assert '"audiosocket.error"' in log
    assert "4929876543210987" not in "".join(character for character in log if character.isdigit())


@pytest.mark.guarantee("A59")
async def test_time_in_which_asterisk_sends_nothing_is_a_gap(
    ingest: IngestService, client: httpx.AsyncClient
) -> None:
    """A leg on hold: the recording does not close up, so what follows stands where it was said."""
    before, after = noise(RATE // 2, 1), noise(RATE, 2)
    external_id = ""

    async def call() -> float:
        nonlocal external_id
        call_id, external_id = await begin(client, MONO)
        wire = await leg(client, call_id)
        longest = await spoken(wire, frames(before))
        await asyncio.sleep(2.5)
        longest = max(longest, await spoken(wire, frames(after)))
        await wire.send(HANGUP)
        await wire.closed()
        return longest

    await without_standing_still(call)
    outcome = await sealed(ingest, client, external_id)
    assert outcome.samples[: RATE // 2].tobytes() == before
    [gap] = outcome.manifest.gaps
    assert (gap.start_sample, gap.reason) == (RATE // 2, "lost")
    assert outcome.samples[RATE // 2 + gap.samples :].tobytes() == after


@pytest.mark.guarantee("A59")
async def test_two_legs_become_two_channels_on_one_clock(
    ingest: IngestService, client: httpx.AsyncClient
) -> None:
    """Each socket names its channel; the call is over when both have hung up."""
    call_id, external_id = await begin(client, PAIR)
    legs = [noise(2 * RATE, 1), noise(2 * RATE, 2)]
    wires = [await leg(client, call_id, channel) for channel in (1, 0)][::-1]
    for at in range(0, len(legs[0]), 320):
        for wire, samples in zip(wires, legs, strict=True):
            await wire.send(frame(0x10, samples[at : at + 320]))
        await asyncio.sleep(0.005)
    await wires[0].close()
    await wires[1].send(audio(noise(RATE // 2, 3)) + HANGUP)
    outcome = await sealed(ingest, client, external_id)
    await wires[1].closed()
    places = [found(outcome.samples[:, channel], legs[channel]) for channel in (0, 1)]
    assert abs(places[0] - places[1]) < RATE / 2
    assert found(outcome.samples[:, 1], noise(RATE // 2, 3)) == places[1] + 2 * RATE
    assert all(reason == "lost" for reason, _ in told(outcome.manifest))


def found(channel: NDArray[np.int16], samples: bytes) -> int:
    """Where these very samples lie in the channel."""
    place = channel.tobytes().find(samples)
    assert place >= 0
    assert place % 2 == 0
    return place // 2


async def test_a_leg_that_stays_away_does_not_keep_the_call_open(
    ingest: IngestService, client: httpx.AsyncClient
) -> None:
    """The other's channel is a gap; the call ends a few seconds after the only leg hung up."""
    call_id, external_id = await begin(client, PAIR)
    samples = noise(RATE)
    wire = await leg(client, call_id, 0)
    await wire.send(audio(samples) + HANGUP)
    outcome = await sealed(ingest, client, external_id)
    await wire.closed()
    assert outcome.samples[:, 0].tobytes() == samples
    assert told(outcome.manifest) == [("lost", 1)]


async def test_the_uuid_is_shown_once(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """A repeated request is answered without it; the database has its hash alone."""
    call_id, _ = await begin(client, MONO)
    headers = {"Idempotency-Key": str(uuid7())}
    first = await client.post(f"/v1/calls/{call_id}/audiosocket", json={}, headers=headers)
    again = await client.post(f"/v1/calls/{call_id}/audiosocket", json={}, headers=headers)
    name = first.json()["uuid"]
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == {**first.json(), "uuid": None}
    assert first.headers["cache-control"] == "no-store"
    rows = await ingest.query(
        "SELECT * FROM audio_sockets WHERE tenant_id = :tenant", tenant=credentials.tenant_id
    )
    kept = await ingest.query("SELECT body FROM idempotency_keys")
    shown = repr(rows) + repr(kept) + ingest.log_text()
    assert name not in shown
    assert name.replace("-", "") not in shown


async def test_registrations_that_cannot_be_are_refused(
    ingest: IngestService, client: httpx.AsyncClient
) -> None:
    call_id, _ = await begin(client, MONO)
    other = await ingest.add_tenant()
    wrong: list[tuple[dict[str, Any], dict[str, str], int, str]] = [
        ({"channel": 1}, {}, 422, "no-such-channel"),
        ({"channel": -1}, {}, 422, "unprocessable"),
        ({"chanel": 0}, {}, 422, "unprocessable"),
        ({}, other.headers, 404, "call-not-found"),
    ]
    for body, headers, status, problem in wrong:
        key = {"Idempotency-Key": str(uuid7())}
        answer = await client.post(f"/v1/calls/{call_id}/audiosocket", json=body, headers={**headers, **key})
        assert (answer.status_code, answer.json()["type"]) == (status, f"urn:otokura:problem:{problem}")
    await client.post(f"/v1/calls/{call_id}/end")
    await settled(client, call_id)
    answer = await client.post(
        f"/v1/calls/{call_id}/audiosocket", json={}, headers={"Idempotency-Key": str(uuid7())}
    )
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:otokura:problem:call-closed")
