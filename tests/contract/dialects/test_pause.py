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
    """Three seconds before, a second within, a second after: that within is silence with its reason.

    Three, so that a stall of the sender is not taken for a hole of its own, which it would be after one.
    """
    external_id, audio = dialect.new_id(), speech(dialect, 5.0)
    second = dialect.rate
    paused, resumed, over = 3 * second, 4 * second, 5 * second
    pieces = dialect.pieces(audio)
    wire = await dialect.open(ingest, credentials, external_id, notice="announced")
    spans = ((0, paused), (paused, resumed), (resumed, over))
    parts = [[p for p in pieces if first <= p.start < end] for first, end in spans]
    for piece in parts[0]:
        await wire.send(piece.wire)
    call_id = await call_of(ingest, external_id)
    await accepted(client, call_id, paused)
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
    assert np.array_equal(outcome.samples[:paused], wanted[:paused])
    assert np.array_equal(outcome.samples[resumed:], wanted[resumed:])
    assert not outcome.samples[paused:resumed].any()
    told = [(gap.start_sample, gap.samples, gap.reason) for gap in outcome.manifest.gaps]
    assert told == [(paused, second, "paused")]
