"""Windows that wait for an engine are heard together, and none of them costs another anything."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from otokura.transcribe.engine import Segment
from otokura.transcribe.errors import EngineAbsent, EngineFailed
from otokura.transcribe.together import Together, Waiting

pytestmark = pytest.mark.guarantee("T55")


class Ear:
    """Hears one empty segment a window; what it was asked is in `asked`. Fails over windows of length 666."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.failure: type[EngineFailed] = EngineFailed
        self.open = asyncio.Event()
        self.turn = asyncio.Lock()
        self.together = Together(self._hear, self.turn)

    async def _hear(self, windows: Sequence[Waiting]) -> list[Any]:
        self.asked.append([len(window.audio) for window in windows])
        await self.open.wait()
        if 666 in self.asked[-1]:
            raise self.failure("over this window")
        segment = Segment(words=[], avg_logprob=-0.1, no_speech_prob=0, compression_ratio=1)
        return [[segment.model_dump()] for _ in windows]

    def hear(self, samples: int, language: str = "ja", *vocabulary: str) -> asyncio.Task[list[Segment]]:
        window = Waiting(np.zeros(samples, np.int16), language, vocabulary)
        return asyncio.create_task(self.together.hear(window))


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_those_that_wait_go_with_whoever_gets_the_engine() -> None:
    ear = Ear()
    tasks = [ear.hear(1), ear.hear(2), ear.hear(3)]
    await settled()
    ear.open.set()
    answers = await asyncio.gather(*tasks)
    assert [len(answer) for answer in answers] == [1, 1, 1]
    assert ear.asked == [[1, 2, 3]]


async def test_who_comes_later_waits_and_goes_next() -> None:
    ear = Ear()
    first = ear.hear(1)
    await settled()
    later = [ear.hear(2), ear.hear(3)]
    await settled()
    ear.open.set()
    await asyncio.gather(first, *later)
    assert ear.asked == [[1], [2, 3]]


async def test_other_languages_and_vocabularies_go_by_themselves() -> None:
    ear = Ear()
    ear.open.set()
    await asyncio.gather(ear.hear(1), ear.hear(2, "en"), ear.hear(3, "ja", "音蔵"), ear.hear(4))
    assert ear.asked == [[1, 4], [2], [3]]


async def test_no_request_is_larger_than_a_message_may_be() -> None:
    ear = Ear()
    ear.open.set()
    five_minutes = 300 * 16000
    await asyncio.gather(*(ear.hear(five_minutes) for _ in range(7)))
    assert [len(one) for one in ear.asked] == [5, 2]


async def test_only_the_window_that_the_engine_fails_over_fails() -> None:
    ear = Ear()
    ear.open.set()
    answers = await asyncio.gather(ear.hear(1), ear.hear(666), ear.hear(3), return_exceptions=True)
    assert [isinstance(answer, EngineFailed) for answer in answers] == [False, True, False]
    assert ear.asked == [[1, 666, 3], [1], [666], [3]]


async def test_an_engine_that_is_not_there_is_not_tried_for_each() -> None:
    ear = Ear()
    ear.failure = EngineAbsent
    ear.open.set()
    first = ear.hear(666)
    second = ear.hear(2)
    with pytest.raises(EngineAbsent):
        await first
    assert await second
    assert ear.asked == [[666, 2], [2]]


async def test_a_cancelled_request_takes_nobody_along() -> None:
    ear = Ear()
    leader, follower = ear.hear(1), ear.hear(2)
    await settled()
    leader.cancel()
    ear.open.set()
    assert await follower
    assert ear.asked == [[1, 2], [2]]
    with pytest.raises(asyncio.CancelledError):
        await leader


async def test_who_was_cancelled_while_waiting_is_not_heard() -> None:
    ear = Ear()
    first = ear.hear(1)
    await settled()
    gone, stays = ear.hear(2), ear.hear(3)
    await settled()
    gone.cancel()
    await settled()
    ear.open.set()
    await asyncio.gather(first, stays)
    assert ear.asked == [[1], [3]]
