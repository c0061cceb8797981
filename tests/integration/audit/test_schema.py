"""The log's migrations make the tables that its models describe."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from alembic import command
from sqlalchemy import Connection, text
from sqlmodel import col, select

from otokura.audit.models import Entry, Shard, Table
from otokura.shared.database import Database, alembic_config, migrate
from otokura.shared.directory import directory_metadata
from otokura.shared.ids import uuid7
from otokura.shared.messaging_models import messaging_metadata
from otokura.shared.tombstones import tombstone_metadata
from schema_check import schema_differences

pytestmark = pytest.mark.postgres

PACKAGE = "otokura.audit.migrations"


async def test_migrations_and_models_agree(database_url: str) -> None:
    """What autogeneration would add is nothing."""
    shared = (messaging_metadata, directory_metadata, tombstone_metadata)
    assert await schema_differences(database_url, PACKAGE, Table.metadata, *shared) == []


async def test_a_log_of_an_early_version_is_brought_on_with_what_is_in_it(database_url: str) -> None:
    erased_at = datetime.now(UTC) - timedelta(days=1)
    database = Database(database_url)
    async with database.session() as session:
        connection = await session.connection()
        await connection.run_sync(_to_0003)
        await connection.execute(text("INSERT INTO log_shards VALUES (2025, 2, '', 0, NULL, 0)"))
        insert = (
            "INSERT INTO entries VALUES (2025, :index, :id, 'access/1', :index, now(), NULL, 'read.opened',"
            " 'yamada', NULL, 'leaf', :salt, :salt, :erased)"
        )
        for index, salt, erased in ((0, b"kept", None), (1, None, erased_at)):
            values = {"index": index, "id": uuid7(), "salt": salt, "erased": erased}
            await connection.execute(text(insert), values)
    await migrate(database_url, PACKAGE)
    async with database.session() as session:
        kept, gone = (await session.exec(select(Entry).order_by(col(Entry.index)))).all()
        [shard] = (await session.exec(select(Shard))).all()
    await database.close()
    assert (kept.leaf, kept.salt, kept.recorded, kept.erased_why) == (b"leaf", b"kept", b"kept", None)
    assert (gone.leaf, gone.recorded, gone.erased_at, gone.erased_why) == (
        b"leaf",
        None,
        erased_at,
        "erasure",
    )
    assert (shard.size, shard.published_at) == (2, None)
    for entry in (kept, gone):
        assert entry.sequenced_at is not None
        assert entry.sequenced_at > erased_at


def _to_0003(connection: Connection) -> None:
    command.upgrade(alembic_config(PACKAGE, connection=connection), "0003")
