"""Requests that come at once: all are under way before any can go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
from sqlalchemy import text

from access_audit import PATIENCE_SECONDS, run
from access_service import Access

_WAITING = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


async def _together(
    access: Access, rows: str, values: dict[str, Any], asks: Sequence[Callable[[], httpx.Response]]
) -> list[httpx.Response]:
    with ThreadPoolExecutor(len(asks)) as pool:
        loop = asyncio.get_running_loop()
        async with access.database() as database:
            async with database.session() as session, asyncio.timeout(PATIENCE_SECONDS):
                connection = await session.connection()
                await connection.execute(text(f"{rows} FOR UPDATE"), values)
                asked = [loop.run_in_executor(pool, ask) for ask in asks]
                while (await connection.execute(_WAITING)).scalar_one() < len(asks):  # noqa: ASYNC110 - a database tells nobody
                    await asyncio.sleep(0.02)
            return list(await asyncio.gather(*asked))


def together(
    access: Access, rows: str, *asks: Callable[[], httpx.Response], **values: Any
) -> list[httpx.Response]:
    """The answers to requests that waited for a lock, each of them, before the first could go on.

    Args:
        access: the service.
        rows: a query of rows that the requests change. They are locked until all requests wait, for them or
            for each other.
        asks: the requests.
        values: of the query.
    """
    return run(_together(access, rows, values, asks))
