"""Hearing from other instances that a call has changed: PostgreSQL's LISTEN, and a look now and then."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, cast
from uuid import UUID

from sqlalchemy.exc import DBAPIError

from otokura.ingest.gates import WAKE_CHANNEL
from otokura.ingest.state import State
from otokura.shared.errors import Unavailable
from otokura.shared.logs import get_logger

if TYPE_CHECKING:
    import asyncpg

log = get_logger(__name__)

RETRY_SECONDS = 1.0
LOOK_SECONDS = 5.0


async def listen(state: State) -> None:
    """Let open streams see what other instances changed, without end.

    A notification that is lost costs time and nothing else: the next segment under an old gate is refused.
    """
    while True:
        try:
            await _listen_once(state)
        except (Unavailable, DBAPIError, OSError):
            log.warning("listening.interrupted")
        await asyncio.sleep(RETRY_SECONDS)


async def _listen_once(state: State) -> None:
    lost, called = asyncio.Event(), asyncio.Queue[UUID]()

    def heard(_connection: object, _pid: int, _channel: str, call_id: str) -> None:
        called.put_nowait(UUID(call_id))

    def ended(_connection: object) -> None:
        lost.set()

    async with state.database.reading() as connection:
        driver = cast("asyncpg.Connection", (await connection.get_raw_connection()).driver_connection)
        driver.add_termination_listener(ended)
        await driver.add_listener(WAKE_CHANNEL, heard)
        try:
            await state.streams.look_again()
            while not lost.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await state.streams.look_again(await called.get())
        finally:
            # Not back into the pool: the next to use it would go on listening.
            await connection.invalidate()
