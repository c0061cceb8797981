"""Workers that are killed, frozen and let race: each recording is transcribed once, and none is lost."""

from __future__ import annotations

import asyncio
import random
import secrets
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import servers
import worker_process
from freezing import frozen
from messaging import eventually
from otokura.cli.local.program import Program
from otokura.shared.database import Database, migrate
from otokura.shared.events import TranscriptCompleted, TranscriptFailed
from otokura.shared.keys import LocalKeyProvider, create_keyring
from otokura.shared.objects import ObjectStore
from otokura.transcribe.models import JobState
from recordings import Recordings, SealedCall
from worker_support import TINY, due_now, job_of, published, put

pytestmark = [pytest.mark.postgres, pytest.mark.s3]

StartWorker = Callable[[float], Program]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    await migrate(database_url, "otokura.transcribe.migrations")
    database = Database(database_url)
    yield database
    await database.close()


@pytest.fixture
async def recordings(object_store: servers.ObjectStoreSettings, tmp_path: Path) -> AsyncIterator[Recordings]:
    create_keyring(tmp_path / "keyring.json")
    store = ObjectStore(object_store.endpoint, object_store.access_key, object_store.secret_key)
    yield Recordings(store, LocalKeyProvider(tmp_path / "keyring.json"))
    await store.close()


@pytest.fixture
async def start_worker(
    database_url: str, object_store: servers.ObjectStoreSettings, tmp_path: Path
) -> AsyncIterator[StartWorker]:
    settings: dict[str, Any] = {
        "database_url": database_url,
        "kafka_bootstrap": "unused:9092",
        "s3_endpoint": "http://unused",
        "s3_access_key": "unused",
        "s3_secret_key": "unused",
        "issuer": "unused",
        "audit_signing_key_file": tmp_path / "keyring.json",
        "keyring_file": tmp_path / "keyring.json",
        "model_dir": tmp_path,
        "lease_seconds": 3,
        "poll_seconds": 0.1,
    }
    started: list[Program] = []

    def start(seconds: float) -> Program:
        name = f"worker-{len(started)}"
        worker = worker_process.program(tmp_path, name, settings, object_store, seconds=seconds)
        started.append(worker)
        worker.start()
        return worker

    yield start
    for worker in started:
        worker.kill()


async def states(database: Database, calls: list[SealedCall]) -> set[str]:
    """The states in which the calls' jobs are."""
    return {(await job_of(database, call)).state for call in calls}


async def until(database: Database, calls: list[SealedCall], state: JobState) -> None:
    """Waits until every call's job is in a state."""

    async def is_so() -> bool:
        return await states(database, calls) == {state}

    await eventually(is_so)


async def check(database: Database, recordings: Recordings, calls: list[SealedCall]) -> None:
    """One event for each call, and one object, which is the event's."""
    await until(database, calls, JobState.DONE)
    events = await published(database, TranscriptCompleted)
    assert Counter(event.call_id for event in events) == Counter(call.call_id for call in calls)
    assert await published(database, TranscriptFailed) == []
    by_call = {event.call_id: event for event in events}
    for call in calls:
        event = by_call[call.call_id]
        assert (await recordings.transcript(call, event)).turns
    # What a dead worker left is discarded by its successor, after the commit.
    await eventually(partial(only_these, recordings, calls, {event.object for event in events}))


async def only_these(recordings: Recordings, calls: list[SealedCall], names: set[str]) -> bool:
    return {name for call in calls for name in await recordings.transcripts_of(call)} == names


@pytest.mark.guarantee("T72")
async def test_a_worker_that_was_frozen_past_its_lease_commits_nothing_when_it_wakes(
    database: Database, recordings: Recordings, start_worker: StartWorker
) -> None:
    call = await recordings.add(TINY)
    await put(database, call)
    sleeper = start_worker(2.0)
    await until(database, [call], JobState.RUNNING)
    with frozen(sleeper.pid):
        await due_now(database)
        start_worker(0.0)
        await until(database, [call], JobState.DONE)
    await eventually(lambda: "attempt lost" in sleeper.log.read_text())
    await check(database, recordings, [call])
    assert (await job_of(database, call)).attempts == 2
    assert sleeper.running


@pytest.mark.guarantee("T72")
async def test_workers_that_race_and_are_killed_transcribe_each_recording_once(
    database: Database, recordings: Recordings, start_worker: StartWorker
) -> None:
    """Three workers on sixteen recordings, of which two are killed in the middle of one."""
    seed = secrets.randbelow(1 << 32)
    sys.stdout.write(f"seed {seed}\n")
    moments = random.Random(seed)
    calls = [await recordings.add(TINY) for _ in range(16)]
    for call in calls:
        await put(database, call)

    async def one_is_running_or_all_are_done() -> bool:
        found = await states(database, calls)
        return JobState.RUNNING in found or found == {JobState.DONE}

    workers = [start_worker(0.3) for _ in range(3)]
    for _ in range(2):
        await eventually(one_is_running_or_all_are_done)
        await asyncio.sleep(moments.uniform(0, 0.6))
        workers.pop(moments.randrange(len(workers))).kill()
        workers.append(start_worker(0.3))
    await check(database, recordings, calls)
