"""AudioHook sessions from `open` to `closed`: pauses, discards, languages, probes, broken rules."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

import httpx
import numpy as np
import pytest

from dialects.audiohook import AudioHook, Genesys, close, send
from dialects.outcome import accepted, call_of, calls_of, expected, sealed, speech
from ingest_service import IngestService
from otokura.shared.cipher import decrypt
from otokura.shared.keys import Kind, associated_data, derive

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]

DIALECT = AudioHook()
SECOND = 8000


def gaps(manifest: Any) -> list[tuple[int, int, str]]:
    return [(gap.start_sample, gap.samples, gap.reason) for gap in manifest.gaps]


@pytest.mark.guarantee("A57")
async def test_nothing_is_recorded_before_the_notice_and_the_clock_runs_on(
    ingest: IngestService,
) -> None:
    """The session starts paused; the notice resumes it; what was not recorded is told as unannounced."""
    credentials = await ingest.add_tenant(require_notice=True)
    genesys = Genesys(ingest, credentials)
    await genesys.register()
    conversation = str(uuid4())
    wire = await genesys.open(conversation)
    assert wire.heard[0]["parameters"]["startPaused"] is True
    await wire.say("paused")
    call_id = await call_of(ingest, conversation)
    async with httpx.AsyncClient(base_url=ingest.url, headers=credentials.headers, timeout=30) as client:
        given = await client.put(f"/v1/calls/{call_id}/notice", json={"given": "announced"})
        assert given.is_success, given.text
        await wire.wait_for("resume")
        wire.position = 1.5
        await wire.say("resumed", {"start": "PT0S", "discarded": "PT1.5S"})
        audio = speech(DIALECT, 1.0)
        await send(wire, audio)
        await close(wire)
        outcome = await sealed(ingest, client, conversation)
    assert gaps(outcome.manifest) == [(0, 12000, "unannounced")]
    assert np.array_equal(outcome.samples[12000:], expected(DIALECT, audio))
    assert not outcome.samples[:12000].any()


@pytest.mark.guarantee("A57")
async def test_a_pause_over_http_stops_genesys_from_sending(
    genesys: Genesys, ingest: IngestService, client: httpx.AsyncClient
) -> None:
    """It is told to pause and to resume; what it did not send is a gap as long as it says."""
    conversation, audio = str(uuid4()), speech(DIALECT, 2.0)
    before, after = [part[:SECOND] for part in audio], [part[SECOND:] for part in audio]
    wire = await genesys.open(conversation)
    await send(wire, before)
    call_id = await call_of(ingest, conversation)
    await accepted(client, call_id, SECOND)
    assert (await client.post(f"/v1/calls/{call_id}/pause")).is_success
    await wire.wait_for("pause")
    await wire.say("paused")
    assert (await client.post(f"/v1/calls/{call_id}/resume")).is_success
    await wire.wait_for("resume")
    wire.position += 2.25
    await wire.say("resumed", {"start": "PT1S", "discarded": "PT2.25S"})
    await send(wire, after)
    await close(wire)
    outcome = await sealed(ingest, client, conversation)
    assert gaps(outcome.manifest) == [(SECOND, 18000, "paused")]
    assert np.array_equal(outcome.samples[:SECOND], expected(DIALECT, before))
    assert np.array_equal(outcome.samples[-SECOND:], expected(DIALECT, after))
    assert len(outcome.samples) == 2 * SECOND + 18000


@pytest.mark.guarantee("A57")
async def test_what_genesys_does_not_send_stands_as_a_gap_where_it_was(
    genesys: Genesys, ingest: IngestService, client: httpx.AsyncClient
) -> None:
    """Its own pause, what it discards, and what its clock shows to be lost without a word."""
    conversation, audio = str(uuid4()), speech(DIALECT, 4.0)
    parts = [[leg[start : start + SECOND] for leg in audio] for start in range(0, 4 * SECOND, SECOND)]
    wire = await genesys.open(conversation)
    await send(wire, parts[0])
    await wire.say("paused")
    await wire.send(bytes(320))  # on its way when the pause began: part of the pause, and not recorded
    await wire.say("resumed", {"start": "PT1S", "discarded": "PT0.5S"})
    wire.position += 0.5
    await send(wire, parts[1])
    wire.position += 0.25
    await wire.say("discarded", {"start": "PT2.5S", "discarded": "PT0.25S"})
    await send(wire, parts[2])
    wire.position += 3
    await wire.say("ping")
    await send(wire, parts[3])
    await close(wire)
    outcome = await sealed(ingest, client, conversation)
    assert gaps(outcome.manifest) == [
        (SECOND, 4000, "paused"),
        (2 * SECOND + 4000, 2000, "discarded"),
        (3 * SECOND + 6000, 3 * SECOND, "lost"),
    ]
    places = [0, SECOND + 4000, 2 * SECOND + 6000, 6 * SECOND + 6000]
    for place, part in zip(places, parts, strict=True):
        assert np.array_equal(outcome.samples[place : place + SECOND], expected(DIALECT, part))


async def test_a_pause_that_lasts_to_the_end_is_told(
    genesys: Genesys, ingest: IngestService, client: httpx.AsyncClient
) -> None:
    conversation, audio = str(uuid4()), speech(DIALECT, 1.0)
    wire = await genesys.open(conversation)
    await send(wire, audio)
    await wire.say("paused")
    wire.position += 7
    await close(wire)
    outcome = await sealed(ingest, client, conversation)
    assert gaps(outcome.manifest) == [(SECOND, 7 * SECOND, "paused")]


async def test_a_session_that_reconnects_continues_its_call(
    genesys: Genesys, ingest: IngestService, client: httpx.AsyncClient
) -> None:
    """A close for that reason ends no call."""
    conversation, audio = str(uuid4()), speech(DIALECT, 1.0)
    first = await genesys.open(conversation)
    await send(first, audio)
    await close(first, "reconnect")
    call_id = await call_of(ingest, conversation)
    await accepted(client, call_id, SECOND)
    assert (await client.get(f"/v1/calls/{call_id}")).json()["state"] == "live"
    continued = [{"id": first.session_id, "serverseq": len(first.heard), "clientseq": first.seq}]
    second = await genesys.open(conversation, continuedSessions=continued)
    await send(second, audio)
    await close(second)
    outcome = await sealed(ingest, client, conversation)
    assert await calls_of(ingest, conversation) == [call_id]
    assert np.array_equal(outcome.samples[:SECOND], expected(DIALECT, audio))
    assert np.array_equal(outcome.samples[-SECOND:], expected(DIALECT, audio))


async def test_a_change_of_language_is_the_recordings(
    genesys: Genesys, ingest: IngestService, client: httpx.AsyncClient
) -> None:
    """Told again to whoever transcribes; a code that is none changes nothing."""
    conversation = str(uuid4())
    wire = await genesys.open(conversation, language="en-US")
    await send(wire, speech(DIALECT, 0.5))
    for number, code in enumerate(("ja-JP", "tlh"), 1):
        await wire.say("update", {"language": code})
        await wire.wait_for("updated", number)
    await close(wire)
    outcome = await sealed(ingest, client, conversation)
    assert outcome.manifest.language == "ja"
    told = [data for kind, data in await ingest.outbox(outcome.view["id"]) if kind.endswith("started.v1")]
    assert [event["language"] for event in told] == ["en", "ja"]


async def test_the_numbers_of_people_are_kept_as_ciphertext(genesys: Genesys, ingest: IngestService) -> None:
    """ani is the caller, dnis the callee; neither is in an answer or a log."""
    conversation = str(uuid4())
    wire = await genesys.open(conversation)
    await close(wire)
    call_id = await call_of(ingest, conversation)
    [row] = await ingest.query(
        "SELECT tenant_id, personal FROM calls WHERE id = CAST(:id AS uuid)", id=call_id
    )
    key = derive(await ingest.dek(call_id), Kind.EVENT, UUID(call_id))
    opened = decrypt(key, row.personal, associated_data(row.tenant_id, UUID(call_id), Kind.EVENT))
    assert json.loads(opened) == {"caller": "+815000000001", "callee": "+81120000000"}
    assert "815000000001" not in ingest.log_text()


async def test_the_end_over_http_is_told_to_genesys(
    genesys: Genesys, ingest: IngestService, client: httpx.AsyncClient
) -> None:
    conversation, audio = str(uuid4()), speech(DIALECT, 1.0)
    wire = await genesys.open(conversation)
    await send(wire, audio)
    call_id = await call_of(ingest, conversation)
    await accepted(client, call_id, SECOND)
    assert (await client.post(f"/v1/calls/{call_id}/end")).is_success
    told = await wire.wait_for("disconnect")
    assert told["parameters"]["reason"] == "completed"
    assert await wire.closed() == 1000
    outcome = await sealed(ingest, client, conversation)
    assert np.array_equal(outcome.samples, expected(DIALECT, audio))
