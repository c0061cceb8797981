"""`Database` and migrations against a real PostgreSQL, which also dies."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest
from sqlalchemy import Column, MetaData, Table, Text, text
from sqlalchemy.exc import IntegrityError as UniqueError

import servers
from messaging import messaging_database
from otokura.shared.database import Database, copy_rows, migrate
from otokura.shared.directory_tables import directory_metadata
from otokura.shared.errors import Unavailable
from otokura.shared.idempotency import idempotency_metadata
from otokura.shared.messaging_models import messaging_metadata
from schema_check import schema_differences

pytestmark = pytest.mark.postgres

ONE = text("SELECT CAST(:one AS int) AS one")
THINGS = Table("things", MetaData(), Column("name", Text))


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

        async def before_rows_are_copied() -> None:
            async with database.session() as session:
                await (await session.connection()).execute(text("CREATE TEMPORARY TABLE things (name text)"))
                postgres.kill()
                await copy_rows(session, THINGS, ["name"], [("gone",)])

        async def while_a_row_is_found() -> None:
            finding = asyncio.create_task(database.row(text("SELECT 1 AS one FROM pg_sleep(20)"), {}))
            await asyncio.sleep(0.3)
            postgres.kill()
            await finding

        for cut_off in (in_the_middle, before_the_commit, before_rows_are_copied, while_a_row_is_found):
            await database.ping()
            assert await database.row(ONE, {"one": 1}) is not None
            with pytest.raises(Unavailable):
                await cut_off()
            with pytest.raises(Unavailable):
                await database.ping()
            with pytest.raises(Unavailable):
                await database.row(ONE, {"one": 1})
            await asyncio.to_thread(postgres.start)
            await database.ping()
            assert await database.row(ONE, {"one": 1}) is not None
        await database.close()


async def test_copied_rows_are_part_of_the_transaction(database_url: str) -> None:
    database = Database(database_url)

    async def copy(*names: str, fail: bool = False) -> None:
        async with database.session() as session:
            await copy_rows(session, THINGS, ["name"], [(name,) for name in names])
            if fail:
                raise LookupError

    async with database.session() as session:
        await (await session.connection()).execute(text("CREATE TABLE things (name text PRIMARY KEY)"))
    await copy("one", "two")
    with pytest.raises(LookupError):
        await copy("three", fail=True)
    with pytest.raises(UniqueError):
        await copy("four", "two")
    async with database.session() as session:
        names = await (await session.connection()).scalars(text("SELECT name FROM things ORDER BY name"))
        assert names.all() == ["one", "two"]
    await database.close()


async def test_a_row_comes_with_the_names_and_types_of_its_columns(database_url: str) -> None:
    database = Database(database_url)
    query = text(
        "SELECT :number + 1 AS number, :number AS asked,"
        " CAST(:who AS uuid) AS who, CAST(:it AS jsonb) AS kept"
    )
    values = {"who": UUID(int=7), "number": 41, "it": {"words": ["コーヒー"]}}
    row = await database.row(query, values)
    assert row is not None
    assert dict(row) == {"number": 42, "who": UUID(int=7), "kept": {"words": ["コーヒー"]}, "asked": 41}
    assert await database.row(text("SELECT 1 AS one WHERE :one = 2"), {"one": 1}) is None
    await database.close()


async def test_more_ask_for_a_row_than_there_are_connections(database_url: str) -> None:
    database = Database(database_url, pool_size=2)
    found = await asyncio.gather(*(database.row(ONE, {"one": number}) for number in range(50)))
    assert [row["one"] for row in found if row] == list(range(50))
    await database.close()


async def test_who_gives_up_a_row_takes_no_connection_with_them(database_url: str) -> None:
    database = Database(database_url, pool_size=1)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await database.row(text("SELECT 1 AS one FROM pg_sleep(20)"), {})
    assert await database.row(ONE, {"one": 1}) is not None
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
