"""PostgreSQL keeps what was committed through kills, and moves where its user may go."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

import servers
from otokura.cli.local.ports import free_ports
from otokura.cli.local.postgres import PostgresServer

pytestmark = pytest.mark.postgres


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose parent only we may enter, as a home is."""
    with servers.scratch_folder("home") as home:
        home.chmod(0o700)
        yield home / "data" / "postgresql"


@pytest.fixture
def server(folder: Path) -> Iterator[PostgresServer]:
    made = PostgresServer(folder, port=free_ports(1)[0], password="secret")
    try:
        yield made
    finally:
        made.stop()
        made.discard()


async def execute(url: str, *statements: str) -> list[object]:
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            results = [await connection.execute(text(statement)) for statement in statements]
            return [row[0] for row in results[-1]] if results[-1].returns_rows else []
    finally:
        await engine.dispose()


async def test_a_commit_survives_a_kill_and_a_stop(server: PostgresServer) -> None:
    server.start()
    url = await server.create_database("calls", "secret")
    await execute(url, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (1)")
    server.kill()
    server.start()
    await execute(url, "INSERT INTO kept VALUES (2)")
    server.stop()
    server.start()
    assert await server.create_database("calls", "secret") == url
    assert await execute(url, "SELECT n FROM kept ORDER BY n") == [1, 2]


async def test_data_lies_where_the_user_of_postgresql_may_go(server: PostgresServer, folder: Path) -> None:
    """As root PostgreSQL is another user, who cannot enter our home: its data moves, and we are told."""
    server.start()
    await server.create_database("calls", "secret")
    if os.geteuid() == 0:
        assert server.folder.parent == Path("/var/tmp")  # noqa: S108 - where it is said to go
        assert [str(server.folder) in notice for notice in server.notices] == [True]
        again = PostgresServer(folder, port=server.port, password="secret")
        assert again.folder == server.folder
    else:
        assert (server.folder, server.notices) == (folder, [])
    assert server.folder.stat().st_mode & 0o077 == 0 or os.geteuid() != 0
