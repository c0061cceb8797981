"""The examples that our pages point to, run as a vendor runs them."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import httpx
import pytest

from ingest_service import Credentials, IngestService

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]

FOLDER = Path(__file__).parents[3] / "examples"
EXAMPLES = ["asterisk_websocket", "audiohook", "audiosocket", "jambonz", "raw_stream", "telnyx", "twilio"]


@pytest.mark.parametrize("name", EXAMPLES)
async def test_an_example_makes_a_recording(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient, name: str
) -> None:
    """Ten seconds of a sample call, ten times as fast as they were spoken."""
    where = {"OTOKURA_INGEST": ingest.url, "OTOKURA_API_KEY": credentials.api_key, "SPEED": "10"}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(FOLDER / f"{name}.py"),
        env={**os.environ, **where},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    told = out.decode().splitlines()[-1]
    call = (await client.get(f"/v1/calls/{told.split()[0]}")).json()
    roles = ", ".join(channel["role"] for channel in call["channels"])
    assert told == f"{call['id']} sealed: {call['recording']['duration_ms'] / 1000:.2f} s, channels {roles}"
    assert call["recording"]["duration_ms"] >= 10_000
