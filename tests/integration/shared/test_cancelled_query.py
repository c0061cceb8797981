"""A task that is cancelled in the middle of a query ends: a service that is told to stop does stop."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from otokura.shared.database import Database


@pytest.mark.postgres
async def test_a_cancelled_query_stays_cancelled(database_url: str) -> None:
    database = Database(database_url)

    async def sleep() -> None:
        async with database.session() as session:
            await (await session.connection()).execute(text("SELECT pg_sleep(60)"))

    try:
        task = asyncio.create_task(sleep())
        async with database.session() as session:
            connection = await session.connection()
            running = text(
                "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND wait_event = 'PgSleep'"
            )
            while await connection.scalar(running) is None:
                await asyncio.sleep(0.02)
                await session.rollback()
                connection = await session.connection()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    finally:
        await database.close()
