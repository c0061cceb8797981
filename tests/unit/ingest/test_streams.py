"""The registry of streams that are open in this process."""

from __future__ import annotations

import asyncio
from uuid import UUID

from otokura.ingest.streams import OpenStream, Request, Streams

CALL = UUID(int=7)


async def test_a_newer_connection_asks_the_older_to_yield() -> None:
    streams = Streams()
    with streams.opened(CALL, 1) as older, streams.opened(CALL, 2) as newer:
        assert older.asked is Request.YIELD
        assert newer.asked is None


async def test_the_epoch_decides_not_the_order_of_registration() -> None:
    """Two connections may finish their handshakes in the other order."""
    streams = Streams()
    with streams.opened(CALL, 2) as newer, streams.opened(CALL, 1) as older:
        assert older.asked is Request.YIELD
        assert newer.asked is None


async def test_finishing_waits_until_the_stream_has_stored_what_it_held() -> None:
    streams, stored, opened = Streams(), list[str](), asyncio.Event()

    async def connection() -> None:
        with streams.opened(CALL, 1) as stream:
            opened.set()
            assert await stream.wait(asyncio.Queue[str]().get(), None) is None
            assert stream.asked is Request.FINISH
            stored.append("the last segment")

    task = asyncio.create_task(connection())
    await opened.wait()
    await streams.finish(CALL)
    assert stored == ["the last segment"]
    await task


async def test_finishing_a_call_without_a_stream_does_nothing() -> None:
    await Streams().finish(CALL)


async def test_what_has_arrived_goes_before_what_is_asked() -> None:
    """A request loses no message, whether it comes before the wait or during it."""
    queue, stream = asyncio.Queue[str](), OpenStream(1)
    for message in ("first", "second"):
        queue.put_nowait(message)
    stream.ask(Request.FINISH)
    assert await stream.wait(queue.get(), None) == "first"
    assert await stream.wait(queue.get(), None) == "second"
    assert await stream.wait(queue.get(), None) is None


async def test_a_message_that_arrives_with_the_request_is_not_lost() -> None:
    queue, stream = asyncio.Queue[str](), OpenStream(1)
    waiting = asyncio.create_task(stream.wait(queue.get(), None))
    await asyncio.sleep(0)
    queue.put_nowait("a message")
    stream.ask(Request.FINISH)
    told = [await waiting, await stream.wait(queue.get(), None)]
    assert told.count("a message") == 1


async def test_a_deadline_ends_the_wait() -> None:
    stream = OpenStream(1)
    deadline = asyncio.get_running_loop().time() + 0.01
    assert await stream.wait(asyncio.Queue[str]().get(), deadline) is None
    assert stream.asked is None
