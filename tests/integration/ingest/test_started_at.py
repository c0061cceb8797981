"""Recordings of old calls: they began when they began, and ended when they were over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from audio_files import wav
from ingest_service import IngestService, call_body, start_call
from otokura.shared.ids import uuid7
from phone_system import speechlike

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]

WAV = wav(speechlike(2, 8000, 2), 8000, 2)


async def test_an_old_recording_has_its_own_times(ingest: IngestService, client: httpx.AsyncClient) -> None:
    """Start and end are the call's, wherever they are told; the notice was given at its start."""
    call = await start_call(client, started_at="2019-05-01T10:00:00+09:00", notice={"given": "attested"})
    assert call["started_at"] == "2019-05-01T01:00:00Z"
    response = await client.put(f"/v1/calls/{call['id']}/audio", content=WAV)
    assert response.status_code == 201, response.text
    assert response.json()["ended_at"] == "2019-05-01T01:00:02Z"
    manifest, _ = await ingest.recording(call["id"])
    assert manifest.started_at == datetime(2019, 5, 1, 1, tzinfo=UTC)
    assert manifest.ended_at == datetime(2019, 5, 1, 1, 0, 2, tzinfo=UTC)
    assert manifest.notice.at == manifest.started_at
    [ended] = [data for kind, data in await ingest.outbox(call["id"]) if kind == "otokura.call.ended.v1"]
    assert ended["ended_at"] == "2019-05-01T01:00:02Z"


async def test_a_file_that_comes_at_once_ends_its_call_now(client: httpx.AsyncClient) -> None:
    """Two seconds of audio that were sent within one do not end in the future."""
    call = await start_call(client)
    sealed = (await client.put(f"/v1/calls/{call['id']}/audio", content=WAV)).json()
    assert datetime.fromisoformat(sealed["ended_at"]) <= datetime.now(UTC) + timedelta(minutes=1)
    assert sealed["ended_at"] >= sealed["started_at"]


async def test_clocks_may_differ_a_little(client: httpx.AsyncClient) -> None:
    """A phone system whose clock is ahead by seconds says no more than that the call begins now."""
    ahead = datetime.now(UTC) + timedelta(minutes=2)
    call = await start_call(client, started_at=ahead.isoformat())
    assert datetime.fromisoformat(call["started_at"]) < ahead


@pytest.mark.parametrize(
    ("started_at", "words"),
    [
        ("2999-01-01T00:00:00Z", "started_at lies in the future"),
        ("2019-05-01T10:00:00", "errors"),
        ("yesterday", "errors"),
    ],
)
async def test_a_call_does_not_begin_tomorrow_or_no_one_knows_when(
    client: httpx.AsyncClient, started_at: str, words: str
) -> None:
    body = call_body(started_at=started_at)
    response = await client.post("/v1/calls", json=body, headers={"Idempotency-Key": str(uuid7())})
    assert response.status_code == 422, response.text
    assert words in response.json()["detail"]
