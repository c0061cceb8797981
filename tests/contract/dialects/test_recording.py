"""Whatever dialect a call comes in, its recording is what the phone system sent."""

from __future__ import annotations

import asyncio

import httpx
import numpy as np
import pytest

from dialects.dialect import Dialect
from dialects.outcome import accepted, call_of, calls_of, expected, sealed, speech
from ingest_service import Credentials, IngestService
from otokura.shared.ids import uuid7

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]

FIELDS = {"notice": "announced", "notice_version": "2026-04", "purposes": ["quality"], "language": "en"}


@pytest.mark.guarantee("A50")
async def test_the_sealed_recording_is_what_was_sent_channel_by_channel(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient, dialect: Dialect
) -> None:
    """Sample for sample, each channel under its role; the call's fields are those that the dialect told."""
    external_id, audio = dialect.new_id(), speech(dialect, 6.3)
    wire = await dialect.open(ingest, credentials, external_id, **FIELDS)
    await dialect.send(wire, audio)
    await dialect.end(wire)
    outcome = await sealed(ingest, client, external_id)
    assert np.array_equal(outcome.samples, expected(dialect, audio))
    assert outcome.manifest.gaps == []
    assert [channel.role for channel in outcome.manifest.channels] == list(dialect.roles)
    assert outcome.manifest.notice.given == "announced"
    assert outcome.manifest.notice.version == "2026-04"
    assert outcome.manifest.purposes == ["quality"]
    assert outcome.manifest.language == "en"
    assert outcome.manifest.sample_rate == dialect.rate


@pytest.mark.guarantee("A52")
async def test_a_connection_that_dies_is_continued_by_the_next(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient, dialect: Dialect
) -> None:
    """One call, not two: both halves are in its recording, and what lies between them is a gap, told."""
    external_id = dialect.new_id()
    before, after = speech(dialect, 1.0, 1), speech(dialect, 2.0, 2)
    first = await dialect.open(ingest, credentials, external_id, **FIELDS)
    await dialect.send(first, before)
    call_id = await call_of(ingest, external_id)
    await asyncio.sleep(0.3)
    await first.abort()
    await accepted(client, call_id, dialect.rate)
    second = await dialect.open(ingest, credentials, external_id, **FIELDS)
    await dialect.send(second, after)
    await dialect.end(second)
    outcome = await sealed(ingest, client, external_id)
    assert await calls_of(ingest, external_id) == [call_id]
    assert np.array_equal(outcome.samples[: dialect.rate], expected(dialect, before))
    assert np.array_equal(outcome.samples[-2 * dialect.rate :], expected(dialect, after))
    assert {gap.reason for gap in outcome.manifest.gaps} <= {"lost"}
    missing = sum(gap.samples for gap in outcome.manifest.gaps)
    assert len(outcome.samples) == 3 * dialect.rate + missing


async def test_a_newer_connection_takes_the_call_over(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient, dialect: Dialect
) -> None:
    """The older one is closed; what it had sent before is kept."""
    external_id = dialect.new_id()
    before, after = speech(dialect, 1.0, 1), speech(dialect, 1.0, 2)
    first = await dialect.open(ingest, credentials, external_id, **FIELDS)
    await dialect.send(first, before)
    call_id = await call_of(ingest, external_id)
    await accepted(client, call_id, dialect.rate)
    second = await dialect.open(ingest, credentials, external_id, **FIELDS)
    await first.closed()
    await dialect.send(second, after)
    await dialect.end(second)
    outcome = await sealed(ingest, client, external_id)
    assert np.array_equal(outcome.samples[: dialect.rate], expected(dialect, before))
    assert np.array_equal(outcome.samples[-dialect.rate :], expected(dialect, after))


async def test_the_end_over_http_stores_what_the_stream_still_holds(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient, dialect: Dialect
) -> None:
    """A phone system that ends calls over REST need not close the stream first."""
    external_id, audio = dialect.new_id(), speech(dialect, 1.5)
    wire = await dialect.open(ingest, credentials, external_id, **FIELDS)
    await dialect.send(wire, audio)
    call_id = await call_of(ingest, external_id)
    await asyncio.sleep(0.3)
    assert (await client.post(f"/v1/calls/{call_id}/end")).is_success
    await wire.closed()
    outcome = await sealed(ingest, client, external_id)
    assert np.array_equal(outcome.samples, expected(dialect, audio))


async def test_a_stream_joins_the_call_that_was_started_over_http(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient, dialect: Dialect
) -> None:
    """Its channels, purposes and notice are those of the call; the dialect only names it."""
    external_id = dialect.new_id()
    body = {
        "external_id": external_id,
        "direction": "outbound",
        "channels": [{"role": role} for role in dialect.roles],
        "notice": {"given": "attested"},
        "purposes": ["quality"],
    }
    started = await client.post("/v1/calls", json=body, headers={"Idempotency-Key": str(uuid7())})
    audio = speech(dialect, 1.0)
    name = dialect.new_id() if dialect.names_calls else external_id
    wire = await dialect.open(ingest, credentials, name, call_id=started.json()["id"])
    await dialect.send(wire, audio)
    await dialect.end(wire)
    outcome = await sealed(ingest, client, external_id)
    assert np.array_equal(outcome.samples, expected(dialect, audio))
    assert outcome.manifest.notice.given == "attested"
    assert await calls_of(ingest, name) == ([] if dialect.names_calls else [started.json()["id"]])
