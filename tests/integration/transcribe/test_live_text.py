"""Calls become text while they last: through Kafka, a real engine, and the death of a worker."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

import live_calls
import speech
from live_calls import LiveCall
from otokura.shared.events import Topic, TranscriptPartial
from otokura.shared.kafka import Producer, ensure_topics
from otokura.shared.kafka_settings import KafkaSettings
from scoring import character_error_rate
from transcribe_service import TranscribeService, received

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.slow]

SECONDS = 12


def whole_turns(call: LiveCall) -> list[dict[str, Any]]:
    """The turns that ended in the part that was streamed."""
    return [turn for turn in speech.script(call.name)["turns"] if turn["end_ms"] <= SECONDS * 1000]


def said(call: LiveCall) -> str:
    """What is said in them, turn after turn."""
    return " ".join(turn["text"] for turn in whole_turns(call))


def heard(call: LiveCall, events: list[TranscriptPartial]) -> str:
    """The final text of that time, in the order in which it was said: not that of a turn cut short."""
    ended = whole_turns(call)[-1]["end_ms"]
    found = live_calls.finals(call.opened(events))
    return " ".join(found[place] for place in sorted(found, key=lambda at: at[1]) if place[1] < ended)


async def until(kafka: KafkaSettings, calls: list[LiveCall], *, through_ms: int) -> list[TranscriptPartial]:
    """All partials, once of each call so much is final; those that a killed worker told again, once."""

    def enough(found: list[tuple[UUID, TranscriptPartial]]) -> bool:
        reached = {event.call_id: event.final_through_ms for _, event in found}
        return all(reached.get(call.call_id, 0) >= through_ms for call in calls)

    return list(dict(await received(kafka, TranscriptPartial, enough)).values())


@pytest.mark.guarantee("T40")
@pytest.mark.guarantee("T42")
async def test_two_calls_become_text_while_they_last_although_the_worker_dies(
    service: TranscribeService, kafka: KafkaSettings, producer: Producer
) -> None:
    """Partials come in order and as ciphertext; final text stays; another worker goes on after it."""
    await ensure_topics(kafka, [Topic.LIVE, Topic.KEYS, Topic.TRANSCRIPTS])
    calls = [LiveCall("en-support", service.keys), LiveCall("ja-support", service.keys)]
    for call in calls:
        await live_calls.send(producer, await call.key())
    # The worker dies before it has heard all, however late it began and fast it is then.
    dead = asyncio.Event()
    streams = [
        asyncio.create_task(call.stream(producer, SECONDS, until=SECONDS - 3, go_on=dead)) for call in calls
    ]
    await until(kafka, calls, through_ms=1)
    service.program.kill()
    dead.set()
    await service.start()
    await asyncio.gather(*streams)
    events = await until(kafka, calls, through_ms=SECONDS * 1000 - 2000)
    for call in calls:
        mine = [event for event in events if event.call_id == call.call_id]
        positions = [(event.epoch, event.revision) for event in mine]
        assert positions == sorted(set(positions))
        assert mine[-1].epoch > 1
        through = [event.final_through_ms for event in mine]
        assert through == sorted(through)
        assert character_error_rate(said(call), heard(call, events)) < 0.5
        for event, partial in zip(mine, call.opened(events), strict=True):
            assert all(turn.text.encode() not in event.sealed for turn in partial.turns if turn.text)
    assert not any(word in service.log_text() for word in ("calling", "お電話"))
