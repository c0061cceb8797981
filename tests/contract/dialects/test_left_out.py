"""Streams without timestamps, and time that the phone system leaves out."""

from __future__ import annotations

import asyncio
import time

import httpx
import numpy as np
import pytest

from dialects.continuous import Jambonz
from dialects.outcome import expected, sealed, speech
from ingest_service import Credentials, IngestService
from otokura.shared.ids import uuid7

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]

QUIET_SECONDS = 2.5


@pytest.mark.guarantee("A54")
async def test_what_was_not_sent_while_listening_was_paused_is_a_gap(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """jambonz sends nothing then: what follows stands where it was said, and nothing of it is lost."""
    dialect, external_id = Jambonz(), f"jambonz-{uuid7()}"
    before, after = speech(dialect, 0.5, 1), speech(dialect, 0.5, 2)
    wire = await dialect.open(ingest, credentials, external_id, notice="announced")
    began = time.monotonic()
    for part in (before, after):
        for piece in dialect.pieces(part):
            await wire.send(piece.wire)
            await asyncio.sleep(0.02)
        if part is before:
            await asyncio.sleep(QUIET_SECONDS)
    took = time.monotonic() - began
    await dialect.end(wire)
    outcome = await sealed(ingest, client, external_id)
    half = dialect.rate // 2
    assert np.array_equal(outcome.samples[:half], expected(dialect, before))
    assert np.array_equal(outcome.samples[-half:], expected(dialect, after))
    [gap] = outcome.manifest.gaps
    assert (gap.start_sample, gap.reason, gap.channel) == (half, "lost", None)
    assert 1.5 * dialect.rate < gap.samples <= took * dialect.rate
