"""Live text goes back to Genesys: only where it may, after its entry, once, and never in audio's way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import numpy as np
import pytest

import servers
from dialects.audiohook import AudioHook, Genesys, close, send
from dialects.conversation import Conversation, registered, texts, told
from dialects.outcome import accepted, expected, sealed, speech
from ingest_fixtures import starting_ingest
from ingest_service import PURPOSES, IngestService, client_of
from messaging import eventually
from otokura.cli.local.postgres import PostgresServer
from otokura.cli.local.seaweedfs import SeaweedServer

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]

DIALECT = AudioHook()
SECOND = 8000
WANTED = {"live_transcripts": True, "audiohook_transcripts": "quality"}
TRAINING = {"name": "training", "label_ja": "研修", "label_en": "Training"}
QUIET_SECONDS = 2.0
"""Longer than text needs to go back, several times."""


@pytest.fixture
async def wanting(ingest: IngestService) -> AsyncIterator[Genesys]:
    """Of a tenant whose administrator wants text to go back."""
    async with registered(ingest, **WANTED) as genesys:
        yield genesys


@pytest.mark.guarantee("T81")
@pytest.mark.guarantee("T82")
async def test_text_goes_back_after_its_entry_and_a_final_turn_once(wanting: Genesys) -> None:
    """By the form of the protocol; at the end it is written down how much that was."""
    conversation = Conversation(wanting)
    wire = await conversation.open()
    await send(wire, speech(DIALECT, 1.0))
    await conversation.transcribe((0, 250, "Good", False))
    first = await wire.wait_for("event")
    [opened] = await conversation.entries("disclosure.opened")
    await conversation.transcribe((0, 250, "Good morning.", True), (1, 900, "Hello", False))
    await wire.wait_for("event", 2)
    await conversation.transcribe((0, 250, "Good morning.", True), (1, 900, "Hello there.", True))
    await wire.wait_for("event", 3)
    await close(wire)
    assert (first["seq"], first["id"]) == (2, wire.session_id)
    assert texts(wire) == [
        ("Good", False),
        ("Good morning.", True),
        ("Hello", False),
        ("Hello there.", True),
    ]
    said = told(wire)
    assert [one["channelId"] for one in said] == [0, 0, 1, 1]
    assert (said[0]["id"], said[2]["id"]) == (said[1]["id"], said[3]["id"])
    assert (said[1]["offset"], said[1]["duration"]) == ("PT0.25S", "PT0.5S")
    assert said[1]["alternatives"][0]["languages"] == ["en"]
    assert wire.heard[-1]["type"] == "closed"
    about = {"kind": "audiohook", "purpose": "quality", "external_id": conversation.id}
    assert about.items() <= opened["detail"].items()
    assert opened["detail"]["session_id"] == wire.session_id
    assert opened["reader"] == str(wanting.credentials.client_id)
    ended = await conversation.entry("disclosure.closed", opened=opened["entry_id"])
    assert (ended["detail"]["outcome"], ended["detail"]["finals"], ended["detail"]["events"]) == (
        "complete",
        2,
        3,
    )
    assert ended["detail"]["bytes_sent"] > 0
    log = wanting.ingest.log_text()
    assert not [text for text, _ in texts(wire) if text in log]


@pytest.mark.guarantee("T80")
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"live_transcripts": True},
        {"audiohook_transcripts": "quality"},
    ],
    ids=["nothing is set", "live text for readers only", "no live text"],
)
async def test_where_the_administrator_did_not_ask_for_it_nothing_goes_back(
    ingest: IngestService, wanting: Genesys, settings: dict[str, Any]
) -> None:
    """While another tenant's text does: nothing is sent, and nothing written down."""
    async with registered(ingest, **settings) as genesys:
        silent, control = Conversation(genesys), Conversation(wanting)
        for one in (silent, control):
            await send(await one.open(), speech(DIALECT, 0.5))
            await one.transcribe((0, 0, "Hello.", True))
        await control.wires[0].wait_for("event")
        await asyncio.sleep(QUIET_SECONDS)
        assert told(silent.wires[0]) == []
        assert await silent.entries("disclosure.opened") == []
        await close(silent.wires[0])


@pytest.mark.guarantee("T80")
async def test_text_goes_back_only_for_a_purpose_that_the_caller_was_told(ingest: IngestService) -> None:
    """The denial is written down; the call is recorded as ever."""
    settings = {**WANTED, "purposes": [*PURPOSES, TRAINING], "audiohook_transcripts": "training"}
    async with registered(ingest, **settings) as genesys:
        conversation, audio = Conversation(genesys), speech(DIALECT, 1.0)
        wire = await conversation.open()
        await send(wire, audio)
        await conversation.transcribe((0, 0, "Hello.", True))
        denied = await conversation.entry("disclosure.denied")
        assert denied["detail"]["why"] == ["purpose-not-disclosed"]
        assert denied["detail"]["purpose"] == "training"
        await conversation.transcribe((0, 0, "Hello.", True), (1, 900, "Hi.", True))
        await asyncio.sleep(QUIET_SECONDS)
        assert told(wire) == []
        await close(wire)
        assert await conversation.entries("disclosure.opened") == []
        async with client_of(ingest.url, genesys.credentials) as client:
            outcome = await sealed(ingest, client, conversation.id)
        assert np.array_equal(outcome.samples, expected(DIALECT, audio))


@pytest.mark.guarantee("T80")
async def test_what_the_administrator_takes_back_ends_at_once(wanting: Genesys) -> None:
    """The session goes on, and is recorded; its text does not."""
    conversation = Conversation(wanting)
    wire = await conversation.open()
    await send(wire, speech(DIALECT, 0.5))
    await conversation.transcribe((0, 0, "Hello.", True))
    await wire.wait_for("event")
    off = (
        "UPDATE tenants SET settings = settings || '{\"audiohook_transcripts\": null}' WHERE tenant_id = :id"
    )
    await wanting.ingest.query(off, id=wanting.credentials.tenant_id)
    await asyncio.sleep(1.5)
    await conversation.transcribe((0, 900, "Secret.", True))
    ended = await conversation.entry("disclosure.closed", outcome="revoked")
    assert ended["detail"]["finals"] == 1
    await close(wire)
    assert texts(wire) == [("Hello.", True)]


@pytest.mark.guarantee("T82")
async def test_a_session_that_goes_on_is_not_told_again_what_was_final(wanting: Genesys) -> None:
    """But for what Genesys says that it has not heard; a place is told on the new session's clock."""
    conversation = Conversation(wanting)
    first = await conversation.open()
    await send(first, speech(DIALECT, 1.0))
    await conversation.transcribe((0, 0, "One.", True))
    await first.wait_for("event")
    await conversation.transcribe((0, 500, "Two.", True), (1, 800, "Thr", False))
    await first.wait_for("event", 2)
    await close(first, "reconnect")
    continued = [{"id": first.session_id, "serverseq": 2, "clientseq": first.seq}]
    second = await conversation.open(continuedSessions=continued)
    await second.wait_for("event")
    await send(second, speech(DIALECT, 1.0))
    await conversation.transcribe((1, 60_000, "Four.", True))
    await second.wait_for("event", 2)
    await close(second)
    assert texts(second)[:2] == [("Two.", True), ("Thr", False)]
    assert ("Four.", True) in texts(second)
    assert ("One.", True) not in texts(second)
    ids = {
        text: one["id"]
        for wire in conversation.wires
        for (text, _), one in zip(texts(wire), told(wire), strict=True)
    }
    assert told(second)[0]["id"] == ids["Two."]
    assert "offset" not in told(second)[0]
    [four] = [one for one in told(second) if one["isFinal"] and one["channelId"] == 1]
    assert 50 < float(four["offset"][2:-1]) < 59.1
    opened = await conversation.entries("disclosure.opened")
    assert [entry["detail"]["session_id"] for entry in opened] == [first.session_id, second.session_id]


@pytest.mark.guarantee("T83")
async def test_a_client_that_does_not_read_delays_no_audio(wanting: Genesys) -> None:
    """All that it sends is accepted meanwhile; when it reads again it gets the newest text, not all of it."""
    conversation, heard = Conversation(wanting), [b"", b""]
    wire = await conversation.open()
    wire.socket.transport.pause_reading()
    call_id = await conversation.call_id()
    async with client_of(wanting.ingest.url, wanting.credentials) as client:
        for number in range(24):
            audio = speech(DIALECT, 0.25, seed=number)
            heard = [before + now for before, now in zip(heard, audio, strict=True)]
            await send(wire, audio)
            await wire.say("ping")
            await conversation.transcribe((0, 0, f"draft {number} " + "text " * 5000, False))
            await asyncio.sleep(0.25)
        await accepted(client, call_id, 24 * SECOND // 4)
        wire.socket.transport.resume_reading()
        await eventually(lambda: any(text.startswith("draft 23 ") for text, _ in texts(wire)))
        assert len(texts(wire)) < 15
        await wire.wait_for("pong", 24)
        await close(wire)
        outcome = await sealed(wanting.ingest, client, conversation.id)
    assert np.array_equal(outcome.samples, expected(DIALECT, heard))


@pytest.fixture(scope="module")
def broker() -> Iterator[servers.KafkaServer]:
    """A broker of our own, to take away."""
    with servers.kafka(lasting=True) as server:
        yield server


@pytest.fixture(scope="module")
def lonely(
    postgres_server: PostgresServer, s3_server: SeaweedServer, broker: servers.KafkaServer
) -> Iterator[IngestService]:
    """An ingest that depends on that broker."""
    with starting_ingest(postgres_server, s3_server, broker) as make:
        yield make(lease_seconds=3, flush_seconds=1.0)


@pytest.mark.guarantee("T81")
async def test_while_the_entry_is_not_acknowledged_no_text_goes_back(
    lonely: IngestService, broker: servers.KafkaServer
) -> None:
    """Recording goes on; with the broker the entry comes back, and after it the text."""
    async with registered(lonely, **WANTED) as genesys:
        conversation, audio = Conversation(genesys), speech(DIALECT, 1.0)
        first = await conversation.open()
        await send(first, audio)
        await conversation.transcribe((0, 0, "One.", True), (1, 500, "Two", False))
        await first.wait_for("event")
        broker.kill()
        try:
            second = await conversation.open()
            await send(second, audio)
            async with client_of(lonely.url, genesys.credentials) as client:
                await accepted(client, await conversation.call_id(), 2 * SECOND)
            await asyncio.sleep(3 * QUIET_SECONDS)
            assert told(second) == []
        finally:
            await asyncio.to_thread(broker.start)
        await eventually(lambda: bool(told(second)))
        assert texts(second) == [("Two", False)]
        opened = await conversation.entries("disclosure.opened")
        sessions = {entry["entry_id"]: entry["detail"]["session_id"] for entry in opened}
        assert sorted(sessions.values()) == sorted([first.session_id, second.session_id])
        await close(second)
