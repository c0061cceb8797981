"""The registry of streams that are open in this process."""

from __future__ import annotations

import asyncio
from uuid import UUID

from otokura.ingest.streams import Request, Streams

CALL = UUID(int=7)


async def test_a_newer_connection_asks_the_older_to_yield() -> None:
    streams = Streams()
    with streams.opened(CALL, 1) as older, streams.opened(CALL, 2) as newer:
        assert older.asked.result() is Request.YIELD
        assert not newer.asked.done()


async def test_the_epoch_decides_not_the_order_of_registration() -> None:
    """Two connections may finish their handshakes in the other order."""
    streams = Streams()
    with streams.opened(CALL, 2) as newer, streams.opened(CALL, 1) as older:
        assert older.asked.result() is Request.YIELD
        assert not newer.asked.done()


async def test_finishing_waits_until_the_stream_has_stored_what_it_held() -> None:
    streams, stored = Streams(), list[str]()

    async def connection() -> None:
        with streams.opened(CALL, 1) as stream:
            opened.set()
            assert await stream.asked is Request.FINISH
            stored.append("the last segment")

    opened = asyncio.Event()
    task = asyncio.create_task(connection())
    await opened.wait()
    await streams.finish(CALL)
    assert stored == ["the last segment"]
    await task


async def test_finishing_a_call_without_a_stream_does_nothing() -> None:
    await Streams().finish(CALL)
