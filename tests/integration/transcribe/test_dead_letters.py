"""A job that was given up waits in the broker's dead letters, and a replay has it begun anew."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import delete
from sqlmodel import col

import servers
from messaging import Broker, eventually, running, settings_of
from otokura.shared.consumer import Consumer
from otokura.shared.dlq import list_dead, replay
from otokura.shared.errors import Unavailable
from otokura.shared.events import Topic, TranscriptCompleted
from otokura.shared.kafka import Producer
from otokura.shared.messaging_models import OutboxRow
from otokura.shared.outbox import OutboxRelay
from otokura.transcribe.again import handlers as again
from otokura.transcribe.errors import EngineFailed
from otokura.transcribe.handlers import GROUP
from otokura.transcribe.models import JobState
from recordings import Recordings
from worker_support import TINY, Scripted, job_of, published, put, work_off

from .conftest import WorkerParts

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]


@pytest.fixture
def broker() -> Iterator[Broker]:
    """A broker of its own: a replay takes every dead letter of a topic, whoever's it is."""
    with servers.kafka() as server:
        yield settings_of(server)


@pytest.mark.guarantee("T74")
async def test_a_replay_of_the_dead_letter_of_a_job_transcribes_the_recording(
    parts: WorkerParts, recordings: Recordings, broker: Broker
) -> None:
    call = await recordings.add(TINY)
    await put(parts.database, call)
    engine = Scripted(*[EngineFailed("The engine broke.")] * 9)
    worker = parts.worker(engine, max_failures=1)
    await work_off(worker, parts.database)
    async with parts.database.session() as session:
        # Audit entries need a writer with a key, which is another test's.
        await session.exec(delete(OutboxRow).where(col(OutboxRow.kind) == "audit"))

    producer = Producer(broker)
    relay = OutboxRelay(parts.database, producer, None, "otokura/transcribe")
    # The selection of this concern alone.
    consumer = Consumer(broker, "dead-letters", parts.database, again.subscriptions())

    async def told() -> bool:
        try:
            letters = await list_dead(broker, Topic.REQUESTS)
        except Unavailable:
            return False  # an Apache Kafka that has just started knows no groups yet
        return [letter.error for letter in letters] == [
            f"Call {call.call_id}: Speech recognition failed: The engine broke."
        ]

    async def queued() -> bool:
        return (await job_of(parts.database, call)).state == JobState.QUEUED

    async with running(relay.run(), consumer.run()):
        await eventually(told)
        [letter] = await list_dead(broker, Topic.REQUESTS)
        assert (letter.group, letter.attempts, letter.original_partition) == (GROUP, 1, -1)
        assert await replay(broker, Topic.REQUESTS) == 1
        await eventually(queued)
        assert await list_dead(broker, Topic.REQUESTS) == []
    await producer.stop()
    engine.failures.clear()
    await work_off(worker, parts.database)
    [event] = await published(parts.database, TranscriptCompleted)
    assert (await recordings.transcript(call, event)).turns
