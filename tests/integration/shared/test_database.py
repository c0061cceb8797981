"""`Database` and migrations against a real PostgreSQL, which also dies."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError as UniqueError

import servers
from messaging import messaging_database
from otokura.shared.database import Database, migrate
from otokura.shared.directory_tables import directory_metadata
from otokura.shared.errors import Unavailable
from otokura.shared.idempotency import idempotency_metadata
from otokura.shared.messaging_models import messaging_metadata
from schema_check import schema_differences

pytestmark = pytest.mark.postgres


async def test_a_session_is_one_transaction(database_url: str) -> None:
    async with messaging_database(database_url) as database:
        async with database.session() as session:
            await (await session.connection()).execute(text("CREATE TABLE things (name text PRIMARY KEY)"))

        async def add(name: str, *, fail: bool) -> None:
            async with database.session() as session:
                await (await session.connection()).execute(
                    text("INSERT INTO things VALUES (:name)"), {"name": name}
                )
                if fail:
                    raise LookupError

        await add("kept", fail=False)
        with pytest.raises(LookupError):
            await add("dropped", fail=True)
        with pytest.raises(UniqueError):
            await add("kept", fail=False)
        async with database.session() as session:
            names = await (await session.connection()).scalars(text("SELECT name FROM things"))
            assert names.all() == ["kept"]


@pytest.mark.guarantee("E5")
async def test_a_database_that_is_away_is_unavailable_and_is_found_again() -> None:
    with servers.postgres() as postgres:
        database = Database(await postgres.create_database("away", "secret"))

        async def in_the_middle() -> None:
            async with database.session() as session:
                await (await session.connection()).execute(text("SELECT 1"))
                postgres.kill()
                await (await session.connection()).execute(text("SELECT 2"))

        async def before_the_commit() -> None:
            async with database.session() as session:
                await (await session.connection()).execute(text("SELECT 1"))
                postgres.kill()

        for cut_off in (in_the_middle, before_the_commit):
            await database.ping()
            with pytest.raises(Unavailable):
                await cut_off()
            with pytest.raises(Unavailable):
                await database.ping()
            await asyncio.to_thread(postgres.start)
            await database.ping()
        await database.close()


async def test_an_error_says_nothing_of_the_values_in_the_statement(database_url: str) -> None:
    database = Database(database_url)
    with pytest.raises(Exception, match="division by zero") as caught:
        async with database.session() as session:
            await (await session.connection()).execute(
                text("SELECT 1 / (length(:number) - 14)"), {"number": "+8190123456789"}
            )
    assert "8190123456789" not in str(caught.value)
    await database.close()


async def test_a_wrong_password_is_not_taken_for_an_absence(database_url: str) -> None:
    database = Database(
        database_url.replace("://", "://", 1).rsplit("@", 1)[0] + "x@" + database_url.rsplit("@", 1)[1]
    )
    with pytest.raises(Exception, match="password authentication failed") as caught:
        await database.ping()
    assert not isinstance(caught.value, Unavailable)
    await database.close()


async def test_replicas_that_start_together_migrate_once(database_url: str) -> None:
    await asyncio.gather(*(migrate(database_url, "sample_migrations") for _ in range(4)))
    async with messaging_database(database_url) as database, database.session() as session:
        versions = await (await session.connection()).scalars(text("SELECT version_num FROM alembic_version"))
        assert versions.all() == ["0001"]


async def test_shared_tables_are_what_their_models_say(database_url: str) -> None:
    metadata = (messaging_metadata, idempotency_metadata, directory_metadata)
    assert await schema_differences(database_url, "sample_migrations", *metadata) == []


async def test_the_comparison_sees_a_difference(database_url: str) -> None:
    found = await schema_differences(database_url, "sample_migrations", messaging_metadata)
    assert {change[0] for change in found} >= {"remove_table"}
