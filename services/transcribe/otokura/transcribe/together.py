"""Has windows that wait for an engine heard together, whichever channel or call they are from.

A model decodes several windows in less time than one after the other, and calls come when they come. So
nobody waits for company: whoever gets the engine takes along those who wait for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from otokura.transcribe.engine import Pcm16, Segment
from otokura.transcribe.errors import EngineAbsent, EngineFailed

_SEGMENTS = TypeAdapter(list[Segment])
_MOST_WINDOWS = 8
_MOST_BYTES = 48 << 20


@dataclass(eq=False, slots=True)
class Waiting:
    """A window that waits to be heard; `answer` once it was."""

    audio: Pcm16
    language: str
    vocabulary: tuple[str, ...]
    alone: bool = False
    answer: Any = None

    def goes_with(self, other: Waiting) -> bool:
        """Whether both can be heard in one go."""
        same = self.language == other.language and self.vocabulary == other.vocabulary
        return same and not self.alone and not other.alone


class Together:
    """Requests that become one.

    Args:
        hear: hears windows of one language and vocabulary, and gives an answer for each.
        turn: held while the engine is asked.
    """

    def __init__(self, hear: Callable[[Sequence[Waiting]], Awaitable[list[Any]]], turn: asyncio.Lock) -> None:
        self._hear = hear
        self._turn = turn
        self._waiting: list[Waiting] = []

    async def hear(self, window: Waiting) -> list[Segment]:
        """What is said in `window`.

        When this is cancelled while it asks for others too, they ask again: one call never costs another.
        When the engine fails over several windows each is tried alone, so that only the culprit fails.

        Raises:
            EngineFailed: the engine failed over this very window.
        """
        self._waiting.append(window)
        try:
            async with self._turn:
                # Those who asked at this very moment have yet to run.
                await asyncio.sleep(0)
                while window.answer is None:
                    await self._ask(self._company(window))
        finally:
            self._waiting.remove(window)
        try:
            return _SEGMENTS.validate_python(window.answer)
        except ValidationError:
            # The validation error quotes its input: what was said must not travel with it.
            raise EngineFailed("The engine's answer is not what an engine answers.") from None

    async def _ask(self, windows: Sequence[Waiting]) -> None:
        try:
            answers = await self._hear(windows)
        except EngineFailed as error:
            if len(windows) == 1 or isinstance(error, EngineAbsent):
                raise
            for one in windows:
                one.alone = True
            return
        for one, answer in zip(windows, answers, strict=True):
            one.answer = answer

    def _company(self, window: Waiting) -> list[Waiting]:
        """`window` and those that can be heard with it, first come first."""
        company, size = [window], window.audio.nbytes
        for other in self._waiting:
            fits = len(company) < _MOST_WINDOWS and size + other.audio.nbytes <= _MOST_BYTES
            if other is not window and other.answer is None and fits and other.goes_with(window):
                company.append(other)
                size += other.audio.nbytes
        return company
