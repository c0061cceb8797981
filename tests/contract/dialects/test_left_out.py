"""Streams without timestamps, and time that the phone system leaves out."""

from __future__ import annotations

import asyncio
import time

import httpx
import numpy as np
import pytest

from dialects.continuous import Jambonz
from dialects.outcome import expected, sealed, speech
from dialects.speaking import spoken, without_standing_still
from ingest_service import Credentials, IngestService

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]

QUIET_SECONDS = 2.5


@pytest.mark.guarantee("A54")
async def test_what_was_not_sent_while_listening_was_paused_is_a_gap(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """jambonz sends nothing then: what follows stands where it was said, and nothing of it is lost."""
    dialect = Jambonz()
    before, after = speech(dialect, 0.5, 1), speech(dialect, 0.5, 2)
    external_id, took = "", 0.0

    async def call() -> float:
        nonlocal external_id, took
        external_id = dialect.new_id()
        wire = await dialect.open(ingest, credentials, external_id, notice="announced")
        began = time.monotonic()
        longest = await spoken(wire, [piece.wire for piece in dialect.pieces(before)])
        await asyncio.sleep(QUIET_SECONDS)
        longest = max(longest, await spoken(wire, [piece.wire for piece in dialect.pieces(after)]))
        took = time.monotonic() - began
        await dialect.end(wire)
        return longest

    await without_standing_still(call)
    outcome = await sealed(ingest, client, external_id)
    half = dialect.rate // 2
    assert np.array_equal(outcome.samples[:half], expected(dialect, before))
    assert np.array_equal(outcome.samples[-half:], expected(dialect, after))
    [gap] = outcome.manifest.gaps
    assert (gap.start_sample, gap.reason, gap.channel) == (half, "lost", None)
    assert 1.5 * dialect.rate < gap.samples <= took * dialect.rate
