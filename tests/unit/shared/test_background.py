import asyncio
import signal
from collections.abc import Iterator

import pytest

from otokura.shared.background import Supervisor, run_together


@pytest.fixture
def terminated() -> Iterator[asyncio.Event]:
    """Set when this process gets SIGTERM, in the place of dying."""
    event = asyncio.Event()
    previous = signal.signal(signal.SIGTERM, lambda *_: event.set())
    yield event
    signal.signal(signal.SIGTERM, previous)


async def _for_ever() -> None:
    await asyncio.Event().wait()


async def _crash() -> None:
    raise LookupError("crashed")


async def _end() -> None:
    return


async def test_a_crash_ends_the_process_and_says_why(terminated: asyncio.Event) -> None:
    async def serve() -> None:
        async with Supervisor() as supervisor:
            supervisor.start("steady", _for_ever)
            supervisor.start("relay", _crash)
            async with asyncio.timeout(5):
                await terminated.wait()
            with pytest.raises(RuntimeError):
                await supervisor.check()

    with pytest.raises(RuntimeError) as caught:
        await serve()
    assert isinstance(caught.value.__cause__, LookupError)


async def test_work_that_ends_without_an_error_is_a_failure_too(terminated: asyncio.Event) -> None:
    async def serve() -> None:
        async with Supervisor() as supervisor:
            supervisor.start("relay", _end)
            async with asyncio.timeout(5):
                await terminated.wait()

    with pytest.raises(RuntimeError):
        await serve()


async def test_leaving_cancels_the_work_and_is_no_failure(terminated: asyncio.Event) -> None:
    cancelled: list[str] = []

    async def work(name: str) -> None:
        try:
            await _for_ever()
        finally:
            cancelled.append(name)

    async with Supervisor() as supervisor:
        supervisor.start("first", lambda: work("first"))
        supervisor.start("second", lambda: work("second"))
        await asyncio.sleep(0)
        await supervisor.check()
    assert cancelled == ["second", "first"]
    assert not terminated.is_set()


async def test_run_together_raises_the_error_itself_and_leaves_nothing_running() -> None:
    stopped = asyncio.Event()

    async def other() -> None:
        try:
            await _for_ever()
        finally:
            stopped.set()

    with pytest.raises(LookupError):
        await run_together(other(), _crash())
    assert stopped.is_set()
