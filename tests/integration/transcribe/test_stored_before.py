"""What was stored before recordings could be transcribed again is there afterwards, and goes on."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Connection, text

from otokura.shared.database import Database, alembic_config, migrate
from otokura.shared.ids import uuid7
from otokura.transcribe import repository
from otokura.transcribe.models import Job, JobState, Lane
from recordings import Recordings

pytestmark = [pytest.mark.postgres, pytest.mark.s3]

PACKAGE = "otokura.transcribe.migrations"
_OLD_JOB = text("""
    INSERT INTO jobs (call_id, tenant_id, manifest, state, attempts, failures, takeovers, lease_id,
        finished_at)
    VALUES (:call, :tenant, CAST(:manifest AS jsonb), :state, :attempts, 0, 0, :lease,
        CASE WHEN CAST(:over AS boolean) THEN now() END)
""")


@pytest.mark.guarantee("T72")
async def test_jobs_from_before_keep_their_versions_and_are_worked_off(
    database_url: str, recordings: Recordings
) -> None:
    database = Database(database_url)
    done, waiting, running = [await recordings.add(b"any", duration_ms=60_000) for _ in range(3)]
    async with database.session() as session:
        await (await session.connection()).run_sync(to_version, "0002")
    async with database.session() as session:
        for call, state, attempts in ((done, "done", 3), (waiting, "queued", 1), (running, "running", 2)):
            values: dict[str, Any] = {
                "call": call.call_id,
                "tenant": call.manifest.tenant_id,
                "manifest": json.dumps(call.manifest.model_dump(mode="json")),
                "state": state,
                "attempts": attempts,
                "lease": uuid7() if state == "running" else None,
                "over": state == "done",
            }
            await (await session.connection()).execute(_OLD_JOB, values)
            await repository.store_key(session, call.wrapped)
        ended = text("UPDATE jobs SET lease_until = now() - interval '1 s' WHERE state = 'running'")
        await (await session.connection()).execute(ended)
    await migrate(database_url, PACKAGE)
    taken: dict[Any, tuple[int, tuple[int, ...]]] = {}
    for _ in range(2):
        async with database.session() as session:
            job = await repository.lease(session, timedelta(minutes=5))
            assert job is not None
            taken[job.call_id] = (job.version, job.earlier)
    assert taken == {waiting.call_id: (2, (1,)), running.call_id: (3, (1, 2))}
    async with database.session() as session:
        old = await session.get_one(Job, done.call_id)
        assert (old.state, old.lane, old.versions) == (JobState.DONE, Lane.FRESH, [1, 2, 3])
        assert await repository.lease(session, timedelta(minutes=5)) is None
    await database.close()


def to_version(connection: Connection, revision: str) -> None:
    config = alembic_config(PACKAGE, connection=connection)
    command.upgrade(config, revision)
