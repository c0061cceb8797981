"""Transcripts and failures that were stored before versions were kept are told apart afterwards."""

from __future__ import annotations

import json

import pytest
from alembic import command
from sqlalchemy import Connection, text

from otokura.shared.database import Database, alembic_config, migrate
from otokura.shared.ids import uuid7

pytestmark = pytest.mark.postgres

PACKAGE = "otokura.access.migrations"


@pytest.mark.guarantee("T73")
async def test_a_failure_that_had_taken_a_transcripts_version_gives_it_back(database_url: str) -> None:
    database = Database(database_url)
    async with database.session() as session:
        await (await session.connection()).run_sync(to_version, "0003")
    insert = text(
        "INSERT INTO transcripts (call_id, tenant_id, version, event, failure, completed_at)"
        " VALUES (:call, :tenant, :version, CAST(:event AS jsonb), :failure, now())"
    )
    stored = {"completed": (2, 2, None), "failed": (1, None, "why"), "failed later": (5, 2, "why")}
    calls = {name: uuid7() for name in stored}
    async with database.session() as session:
        for name, (version, of_event, failure) in stored.items():
            event = json.dumps({"version": of_event}) if of_event else None
            values = {"version": version, "event": event, "failure": failure}
            whose = {"call": calls[name], "tenant": uuid7()}
            await (await session.connection()).execute(insert, whose | values)
    await migrate(database_url, PACKAGE)
    async with database.session() as session:
        query = text(
            "SELECT t.call_id, t.version, t.failed_version, v.version AS kept FROM transcripts t"
            " LEFT JOIN transcript_versions v USING (call_id)"
        )
        rows = (await (await session.connection()).execute(query)).all()
    await database.close()
    found = {row.call_id: (row.version, row.failed_version, row.kept) for row in rows}
    assert {name: found[call] for name, call in calls.items()} == {
        "completed": (2, -1, 2),
        "failed": (-1, 1, None),
        "failed later": (2, 5, 2),
    }


def to_version(connection: Connection, revision: str) -> None:
    command.upgrade(alembic_config(PACKAGE, connection=connection), revision)
