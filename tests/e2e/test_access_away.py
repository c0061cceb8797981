"""Access stopped for the whole of a call: it is recorded all the same."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import speech
from flac_decoding import decoded
from scoring import word_error_rate
from whole import PATIENCE, Whole, a_call, heard, settled, stream

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.s3, pytest.mark.slow]


@contextmanager
def without_access(whole: Whole) -> Iterator[None]:
    """Access is stopped, and nobody starts it again before the block ends."""
    part, service = whole.stack.parts["access"], whole.stack.services["access"]
    part.stop()
    try:
        yield
        assert not service.program.running
    finally:
        service.start()
        part.started()


async def jobs(whole: Whole, call_id: str) -> list[str]:
    query = "SELECT state FROM jobs WHERE call_id = CAST(:id AS uuid)"
    return [row.state for row in await whole.query("transcribe", query, id=call_id)]


async def wait_for_transcript(whole: Whole, call_id: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while await jobs(whole, call_id) != ["done"]:
        assert time.monotonic() < deadline, "the call is not transcribed"
        await asyncio.sleep(0.25)


@pytest.mark.guarantee("F1")
async def test_a_call_is_recorded_sealed_and_transcribed_while_access_is_stopped(whole: Whole) -> None:
    """From its start to its transcript nobody asks access anything; once back, access tells of it all."""
    file = speech.CALLS / "en-support.wav"
    with without_access(whole):
        call_id = stream(whole, a_call("access-away", "en"), file, speed=20)
        sealed = settled(whole, call_id)
        await wait_for_transcript(whole, call_id)
    assert sealed["state"] == "sealed"
    said = " ".join(speech.said("en-support", channel) for channel in (0, 1))
    assert word_error_rate(said, " ".join(heard(whole, call_id))) <= 0.10
    with whole.api("supervisor") as api:
        recording = api.request("GET", f"/v1/calls/{call_id}/audio", params={"purpose": "quality"}).content
    assert decoded(recording, 2) == decoded(file.read_bytes(), 2)
