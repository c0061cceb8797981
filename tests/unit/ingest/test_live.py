"""A stream hears what is asked of it, and loses nothing that has arrived."""

from __future__ import annotations

import asyncio
from typing import cast
from uuid import UUID

import pytest

from otokura.ingest.alignment import Frames, Hole
from otokura.ingest.audio_format import Encoding, StreamFormat
from otokura.ingest.errors import CallClosed, Fenced, StreamSilent
from otokura.ingest.intake import Intake
from otokura.ingest.live import Live
from otokura.ingest.repository import Claim
from otokura.ingest.stream_requests import Request
from otokura.ingest.streams import Streams
from otokura.shared.errors import OtokuraError

CALL = UUID(int=7)


class Held:
    """In the place of an intake: keeps what it is told."""

    withheld = None
    error: OtokuraError | None = None
    before_change: object = None
    drift: object = None

    def __init__(self, epoch: int = 1, channels: int = 1) -> None:
        self.claim = Claim(CALL, epoch)
        self.format = StreamFormat(Encoding.MULAW, 8000, channels)
        self.told: list[str] = []
        self.waited = False

    async def take(self, data: bytes) -> None:
        self.told.append(data.decode())

    async def catch_up(self) -> None:
        """Nothing waits at a socket."""

    async def flush(self) -> None:
        self.told.append("flushed")

    async def finish(self) -> None:
        self.told.append("finished")

    async def end(self) -> None:
        self.told.append("ended")

    def waited_too_long(self, _moment: float, _more: object) -> bool:
        return self.waited

    def check_reach(self, _samples: int) -> None:
        """No call is too long."""

    async def absorb(self, one: Frames | Hole) -> None:
        assert isinstance(one, Frames)
        self.told.append(f"{one.data.decode('latin-1')} without {[absent[0] for absent in one.absent]}")


class Running:
    """A stream that reads from a queue."""

    def __init__(self, epoch: int = 1, silence_seconds: float = 60.0) -> None:
        self.held = Held(epoch)
        self.live = Live(cast("Intake", self.held), silence_seconds)
        self.queue = asyncio.Queue[str]()
        self.task = asyncio.create_task(self.live.run(self.queue.get, self._handle))

    async def _handle(self, message: str) -> bool:
        await self.live.frames(message.encode())
        return message != "last"


async def test_it_reads_until_the_last_message() -> None:
    stream = Running()
    for message in ("first", "last", "late"):
        stream.queue.put_nowait(message)
    await stream.task
    assert stream.held.told == ["first", "last"]


@pytest.mark.parametrize("idle", [True, False])
async def test_what_has_arrived_goes_before_an_end_that_is_asked(idle: bool) -> None:
    """Whether the stream waits for a message or several wait for it."""
    stream = Running()
    await asyncio.sleep(0)
    messages = [] if idle else ["first", "second", "third"]
    for message in messages:
        stream.queue.put_nowait(message)
    stream.live.ask(Request.FINISH)
    await stream.task
    assert stream.held.told == [*messages, "finished"]


async def test_a_message_that_arrives_with_the_request_is_not_lost() -> None:
    """Whatever the order in which the loop wakes the stream and cuts its wait short."""
    for first in (True, False):
        stream = Running()
        await asyncio.sleep(0)
        if first:
            stream.live.ask(Request.FINISH)
        stream.queue.put_nowait("a message")
        if not first:
            stream.live.ask(Request.FINISH)
        await stream.task
        assert stream.held.told == ["a message", "finished"]


async def test_a_cancellation_from_outside_stays_one() -> None:
    stream = Running()
    await asyncio.sleep(0)
    stream.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stream.task
    assert stream.held.told == []


async def test_a_stream_whose_delivery_failed_says_why() -> None:
    stream = Running()
    await asyncio.sleep(0)
    stream.held.error = CallClosed("sealed")
    stream.live.delivered()
    with pytest.raises(CallClosed):
        await stream.task


async def test_a_silent_stream_is_left_and_what_it_held_is_stored() -> None:
    stream = Running(silence_seconds=10)
    for moment in (0.0, 9.0, 19.1):
        stream.live.tick(moment)
    with pytest.raises(StreamSilent):
        await stream.task
    assert stream.held.told == ["flushed"]


async def placed(live: Live, channel: int, number: int) -> None:
    await live.place(channel, 160 * number, b"ab"[channel : channel + 1] * 160)


async def wait(live: Live, held: Held, moment: float) -> None:
    """What is held has waited too long."""
    held.waited = True
    assert live.tick(moment)
    held.waited = False
    await live.tend(moment)


@pytest.mark.guarantee("A51")
async def test_a_shorter_segment_does_not_cost_what_a_channel_may_still_bring() -> None:
    """Audio is stored between two tracks' pieces of one instant: the second is in its place after it."""
    held = Held(channels=2)
    live = Live(cast("Intake", held), 60.0)
    for channel, number in ((0, 0), (1, 0), (0, 1)):
        await placed(live, channel, number)
    await wait(live, held, 0.0)
    await placed(live, 1, 1)
    await wait(live, held, 0.1)
    assert held.told == [f"{'ab' * 160} without []", "flushed"] * 2


async def test_what_a_still_stream_held_is_stored_although_a_channel_lacks_it() -> None:
    held = Held(channels=2)
    live = Live(cast("Intake", held), 60.0)
    for channel, number in ((0, 0), (1, 0), (0, 1)):
        await placed(live, channel, number)
    live.tick(0.0)
    await wait(live, held, 1.0)
    [both] = [told for told in held.told if told != "flushed"]
    assert both.endswith("without [1]")


async def test_a_newer_connection_makes_the_older_yield() -> None:
    streams = Streams()
    older, newer = Running(1), Running(2)
    with streams.opened(CALL, older.live), streams.opened(CALL, newer.live):
        with pytest.raises(Fenced):
            await older.task
        assert streams.of(CALL) is newer.live
        newer.live.ask(Request.FINISH)
        await newer.task


async def test_the_epoch_decides_not_the_order_of_registration() -> None:
    """Two connections may finish their handshakes in the other order."""
    streams = Streams()
    newer, older = Running(2), Running(1)
    with streams.opened(CALL, newer.live), streams.opened(CALL, older.live):
        with pytest.raises(Fenced):
            await older.task
        assert streams.of(CALL) is newer.live
        newer.live.ask(Request.FINISH)
        await newer.task


async def test_finishing_waits_until_the_stream_has_stored_what_it_held() -> None:
    streams, stream = Streams(), Running()

    async def connection() -> None:
        with streams.opened(CALL, stream.live):
            await stream.task

    open_now = asyncio.create_task(connection())
    await asyncio.sleep(0)
    await streams.finish(CALL)
    assert stream.held.told == ["finished"]
    await open_now
    await streams.finish(CALL)
