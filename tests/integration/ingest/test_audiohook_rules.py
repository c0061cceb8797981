"""AudioHook's rules: numbers, probes, and what is told to whoever breaks them."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import numpy as np
import pytest

from dialects.audiohook import MEDIA, AudioHook, Genesys, close, open_parameters, send
from dialects.outcome import expected, sealed, speech
from ingest_service import Credentials, IngestService
from otokura.shared.ids import uuid7

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]

DIALECT = AudioHook()
SECOND = 8000


async def test_the_numbers_are_those_of_the_protocol(genesys: Genesys) -> None:
    """As Genesys' own test suite expects them: the first ping is 2 and answered by 2."""
    wire = await genesys.open(str(uuid4()))
    [opened] = wire.heard
    assert (opened["version"], opened["id"], opened["seq"], opened["clientseq"]) == (
        "2",
        wire.session_id,
        1,
        1,
    )
    assert opened["parameters"] == {
        "media": [{"type": "audio", "format": "PCMU", "channels": ["external", "internal"], "rate": 8000}],
        "startPaused": False,
    }
    await wire.say("ping")
    pong = await wire.wait_for("pong")
    assert (pong["seq"], pong["clientseq"], pong["parameters"]) == (2, 2, {})
    await wire.say("ping", {"rtt": "PT0.01S"})
    assert (await wire.wait_for("pong", 2))["clientseq"] == 3
    await close(wire)
    assert wire.heard[-1]["clientseq"] == 4


@pytest.mark.guarantee("A57")
async def test_a_probe_is_answered_and_makes_no_call(
    genesys: Genesys, ingest: IngestService, credentials: Credentials
) -> None:
    """Genesys tries the service out with a conversation of zeros, with media and without."""
    for offered in (MEDIA, []):
        wire = await genesys.open(str(UUID(int=0)), supportedLanguages=True, media=offered)
        assert wire.heard[0]["parameters"]["media"] == offered[:1]
        assert wire.heard[0]["parameters"]["supportedLanguages"] == []
        await wire.say("ping")
        await wire.wait_for("pong")
        await close(wire)
    query = "SELECT id FROM calls WHERE tenant_id = :tenant"
    assert await ingest.query(query, tenant=credentials.tenant_id) == []


@pytest.mark.guarantee("A57")
@pytest.mark.parametrize(
    "changes",
    [{"seq": 2}, {"seq": 9}, {"serverseq": 40}, {"id": str(uuid7())}, {"version": "1"}, {"type": "opened"}],
    ids=["repeated", "jumped", "answers nothing", "another session", "another version", "no client's"],
)
async def test_whoever_breaks_the_rules_is_told_and_loses_nothing_before(
    genesys: Genesys, ingest: IngestService, client: httpx.AsyncClient, changes: dict[str, Any]
) -> None:
    """`disconnect` with the reason `error`; the audio is kept, and another session goes on with the call."""
    conversation, audio = str(uuid4()), speech(DIALECT, 1.0)
    wire = await genesys.open(conversation)
    await wire.say("ping")
    await send(wire, audio)
    await wire.send(wire.message("ping", **changes))
    told = await wire.wait_for("disconnect")
    assert told["parameters"]["reason"] == "error"
    assert told["parameters"]["info"]
    assert await wire.closed() == 4400
    again = await genesys.open(conversation)
    await close(again)
    outcome = await sealed(ingest, client, conversation)
    assert np.array_equal(outcome.samples[:SECOND], expected(DIALECT, audio))


@pytest.mark.parametrize(
    "first", ["audio", "ping", "media of no use", "nothing"], ids=lambda first: first.replace(" ", "-")
)
async def test_a_session_that_does_not_open_makes_no_call(
    genesys: Genesys, ingest: IngestService, credentials: Credentials, first: str
) -> None:
    wire = await genesys.handshake()
    if first == "audio":
        await wire.send(bytes(320))
    elif first == "ping":
        await wire.say("ping")
    elif first == "media of no use":
        media = [{"type": "audio", "format": "opus", "channels": ["external"], "rate": 48000}]
        await wire.say("open", open_parameters(str(uuid4()), media=media))
    else:
        await wire.say("close", {"reason": "error"})
        await wire.wait_for("closed")
    if first != "nothing":
        assert (await wire.wait_for("disconnect"))["parameters"]["reason"] == "error"
    await wire.closed()
    await asyncio.sleep(0)
    query = "SELECT id FROM calls WHERE tenant_id = :tenant"
    assert await ingest.query(query, tenant=credentials.tenant_id) == []
