"""A pause over HTTP, while a card number is said: whatever the dialect, nothing of it is recorded."""

from __future__ import annotations

import asyncio

import httpx
import numpy as np
import pytest

from dialects.dialect import Dialect
from dialects.outcome import accepted, call_of, expected, sealed, speech
from ingest_service import Credentials, IngestService

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]


async def test_a_paused_span_is_a_gap_and_its_audio_is_nowhere(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient, dialect: Dialect
) -> None:
    """A second before, a second within, a second after: the middle one is silence with its reason."""
    external_id, audio = dialect.new_id(), speech(dialect, 3.0)
    second = dialect.rate
    pieces = dialect.pieces(audio)
    wire = await dialect.open(ingest, credentials, external_id, notice="announced")
    parts = [[p for p in pieces if first <= p.start < first + second] for first in (0, second, 2 * second)]
    for piece in parts[0]:
        await wire.send(piece.wire)
    call_id = await call_of(ingest, external_id)
    await accepted(client, call_id, second)
    assert (await client.post(f"/v1/calls/{call_id}/pause")).json()["paused"] is True
    for piece in parts[1]:
        await wire.send(piece.wire)
    await asyncio.sleep(0.3)
    assert (await client.post(f"/v1/calls/{call_id}/resume")).json()["paused"] is False
    for piece in parts[2]:
        await wire.send(piece.wire)
    await dialect.end(wire)
    outcome = await sealed(ingest, client, external_id)
    wanted = expected(dialect, audio)
    assert np.array_equal(outcome.samples[:second], wanted[:second])
    assert np.array_equal(outcome.samples[2 * second :], wanted[2 * second :])
    assert not outcome.samples[second : 2 * second].any()
    told = [(gap.start_sample, gap.samples, gap.reason) for gap in outcome.manifest.gaps]
    assert told == [(second, second, "paused")]
