"""Hears a whole recording through an engine that takes one window of one channel at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otokura.transcribe.engine import RemoteEngine, Segment
from otokura.transcribe.service import UNDETERMINED, choose_language
from otokura.transcribe.turns import shifted
from otokura.transcribe.windows import Window, WindowCutter

_SEARCH_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Heard:
    """What was said: for each channel its segments in order, times on the recording's clock."""

    language: str
    channels: list[list[Segment]]


class Listener:
    """Collects one recording.

    Args:
        engine: who listens.
        channels: how many there are.
        language: what is spoken, where that is known; otherwise the first window with speech decides.
        vocabulary: names and terms that are likely to be said.
        window_seconds: the longest window.
    """

    def __init__(
        self,
        engine: RemoteEngine,
        channels: int,
        *,
        language: str | None = None,
        vocabulary: Sequence[str] = (),
        window_seconds: int = 300,
    ) -> None:
        search = min(_SEARCH_SECONDS, window_seconds // 2)
        self._engine = engine
        self._language = language
        self._vocabulary = vocabulary
        self._cutters = [WindowCutter(window_seconds, search) for _ in range(channels)]
        self._heard: list[list[Segment]] = [[] for _ in range(channels)]

    async def listen(self, blocks: AsyncIterable[NDArray[np.int16]]) -> Heard:
        """Hears all of `blocks`: int16, shape (samples, channels), 16 kHz, any number of samples each."""
        async for block in blocks:
            columns = np.ascontiguousarray(block.T)
            ready = [(n, w) for n, cutter in enumerate(self._cutters) for w in cutter.push(columns[n])]
            await self._hear(ready)
        await self._hear([(n, w) for n, cutter in enumerate(self._cutters) for w in cutter.flush()])
        return Heard(self._language or UNDETERMINED, self._heard)

    async def _hear(self, ready: Sequence[tuple[int, Window]]) -> None:
        if not ready:
            return
        guess = self._language
        if guess is None:
            guess = choose_language([await self._engine.languages(window.audio) for _, window in ready])
        if guess is None:
            return
        answers = await _together(
            [self._engine.hear(window.audio, guess, self._vocabulary) for _, window in ready]
        )
        for (channel, window), answer in zip(ready, answers, strict=True):
            for segment in answer:
                self._heard[channel].append(shifted(segment, window.start_ms))
                # Only words prove a language: music that passed for speech does not.
                self._language = guess


async def _together(asked: Sequence[Coroutine[Any, Any, list[Segment]]]) -> list[list[Segment]]:
    """The answers to what is asked at once, and so heard together; the first error ends all."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in asked]
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]
