"""Of exports no more are made at once than a process has turns for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from otokura.audit.exports import InTurn, export_entries
from otokura.shared.errors import TooManyRequests


async def test_an_export_waits_for_its_turn_and_gives_it_back_when_its_reader_goes() -> None:
    turns, begun = asyncio.Semaphore(2), list[int]()

    async def endless(number: int) -> AsyncGenerator[str]:
        begun.append(number)
        while True:
            await asyncio.sleep(3600)
            yield "x"

    async def receive() -> dict[str, str]:
        await asyncio.sleep(3600)
        return {}

    async def send(_: object) -> None:
        pass

    def answer(number: int) -> asyncio.Task[None]:
        response = InTurn(turns, endless(number), media_type="text/plain", headers={})
        return asyncio.create_task(response({"type": "http"}, receive, cast("Any", send)))

    tasks = [answer(number) for number in range(3)]
    await asyncio.sleep(0.05)
    assert begun == [0, 1]
    any_one: Any = SimpleNamespace(state=SimpleNamespace(exporting=turns))
    with pytest.raises(TooManyRequests):
        await export_entries(any_one, any_one, any_one.state, any_one)
    tasks[0].cancel()
    await asyncio.sleep(0.05)
    assert begun == [0, 1, 2]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert not turns.locked()
