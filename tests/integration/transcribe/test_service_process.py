"""The whole service as a process: events in, events out, with kills between."""

from __future__ import annotations

import asyncio
import json
import signal
from functools import partial
from typing import Any
from uuid import UUID

import httpx
import pytest

import speech
from messaging import eventually
from otokura.shared.audit_events import AuditRecorded
from otokura.shared.events import TranscriptCompleted
from otokura.shared.kafka import Producer, ensure_topics
from otokura.shared.kafka_settings import KafkaSettings
from otokura.shared.objects import ObjectStore
from recordings import Recordings, SealedCall
from transcribe_service import TranscribeService, received, send

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.slow]

ENGLISH = (speech.CALLS / "en-support.wav").read_bytes()
JAPANESE = (speech.CALLS / "ja-support.wav").read_bytes()


@pytest.fixture
def recordings(store: ObjectStore, service: TranscribeService) -> Recordings:
    return Recordings(store, service.keys)


async def completed(
    kafka: KafkaSettings, calls: list[SealedCall]
) -> dict[Any, list[tuple[Any, TranscriptCompleted]]]:
    """For each call the completed events, once there is one for each."""
    wanted = {call.call_id for call in calls}

    def enough(found: list[tuple[Any, TranscriptCompleted]]) -> bool:
        return wanted <= {event.call_id for _, event in found}

    found = await received(kafka, TranscriptCompleted, enough)
    return {call: [(i, event) for i, event in found if event.call_id == call] for call in wanted}


@pytest.mark.guarantee("T1")
@pytest.mark.guarantee("T6")
async def test_events_in_events_out_through_kills(
    service: TranscribeService, kafka: KafkaSettings, producer: Producer, recordings: Recordings
) -> None:
    """Two calls, every event twice, a key that comes late, and two kills: one transcript for each call."""
    await ensure_topics(kafka, ["otokura.recordings", "otokura.keys"])
    english = await recordings.add(ENGLISH, duration_ms=74_095)
    japanese = await recordings.add(JAPANESE, duration_ms=83_930)
    await send(producer, english.wrapped, english.sealed, japanese.sealed, english.sealed)
    for _ in range(2):
        await asyncio.sleep(4)
        service.program.kill()
        await service.start()
    await send(producer, japanese.wrapped, english.wrapped, japanese.sealed)

    events = await completed(kafka, [english, japanese])
    for call, language in ((english, "en"), (japanese, "ja")):
        assert len({event_id for event_id, _ in events[call.call_id]}) == 1
        _, event = events[call.call_id][0]
        assert event.language == language
        assert (await recordings.transcript(call, event)).turns
        await eventually(partial(are_all_there, recordings, call, [event.object]))

    def told(found: list[tuple[UUID, AuditRecorded]]) -> bool:
        transcribed = {entry.call_id for _, entry in found if entry.action == "recording.transcribed"}
        return {english.call_id, japanese.call_id} <= transcribed

    assert told(await received(kafka, AuditRecorded, told))
    check_log(service)


def check_log(service: TranscribeService) -> None:
    """Every line is JSON, none holds a word of the calls or a key."""
    log = service.log_text()
    for line in log.splitlines():
        json.loads(line)
    for said in ("internet connection", "コーヒー", "support", "サポート"):
        assert said not in log


async def are_all_there(recordings: Recordings, call: SealedCall, names: list[str]) -> bool:
    """What a dead attempt left is discarded by its successor, after the commit."""
    return await recordings.transcripts_of(call) == names


async def test_it_is_ready_and_measured(service: TranscribeService) -> None:
    async with httpx.AsyncClient(base_url=service.url) as client:

        async def is_ready() -> bool:
            return (await client.get("/readyz")).status_code == 200

        await eventually(is_ready)
        ready = await client.get("/readyz")
        assert ready.json()["status"] == "ready"
        assert set(ready.json()["checks"]) == {"database", "audit", "engine", "work"}
        assert (await client.get("/v1/anything")).status_code == 404

        async def counted() -> bool:
            metrics = (await client.get("/metrics")).text
            return 'otokura_transcribe_jobs_count{lane="fresh",state="queued"} 0.0' in metrics

        await eventually(counted)


async def test_it_stops_when_asked(service: TranscribeService) -> None:
    await asyncio.to_thread(service.program.stop, 20)
    # uvicorn ends by the signal that asked it to, once everything is closed.
    assert service.program.returncode == -signal.SIGTERM
    levels = [json.loads(line)["level"] for line in service.log_text().splitlines()]
    assert set(levels) <= {"info", "warning"}
