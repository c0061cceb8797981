"""Has the live calls heard, the longest unheard first, as often as the engine's speed allows.

Nothing queues: a channel is heard when its turn comes, all of its audio that is not final at once. With more
calls than the engine can follow the turns come less often, and text comes later; it never falls behind by
more than the audio that a channel may hold.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from otokura.shared.logs import get_logger
from otokura.transcribe import instruments
from otokura.transcribe.engine import RemoteEngine, Segment
from otokura.transcribe.errors import EngineFailed
from otokura.transcribe.live.call import Window
from otokura.transcribe.live.opening import Opened
from otokura.transcribe.service import choose_language

log = get_logger(__name__)

INTERVAL_SECONDS = 1.0
"""A channel is not heard more often."""
AT_ONCE = 4
"""Windows that are heard together: more would make each wait for the last."""
_ENOUGH_MS = 300
"""So much must be new."""
_FAILURES = 3
"""A window over which the engine fails so often is given up."""
_LANGUAGE_MS = 1500
"""Audio from which a language is guessed."""


@dataclass
class _Turn:
    """When a channel was heard, and how often in a row it could not be."""

    at: float = 0.0
    failures: int = 0


@dataclass
class Hearing:
    """Hears channels of calls in turn.

    Args:
        engine: who listens.
        publish: told of a call after its text may have changed.
    """

    engine: RemoteEngine
    publish: Callable[[Opened], Awaitable[None]]
    _turns: dict[tuple[UUID, int], _Turn] = field(default_factory=dict[tuple[UUID, int], _Turn])

    async def step(self, calls: Iterable[Opened]) -> bool:
        """Hears the channels that have waited longest.

        Returns:
            Whether there were any.
        """
        due = self._due(calls)[:AT_ONCE]
        if not due:
            return False
        began = time.monotonic()
        await asyncio.gather(*(self._hear(opened, channel) for opened, channel in due))
        instruments.LIVE_HEARD_SECONDS.observe(time.monotonic() - began)
        for opened in {id(opened): opened for opened, _ in due}.values():
            await self.publish(opened)
        return True

    def forget(self, call_id: UUID) -> None:
        """The call is no more."""
        for key in [key for key in self._turns if key[0] == call_id]:
            del self._turns[key]

    def _due(self, calls: Iterable[Opened]) -> list[tuple[Opened, int]]:
        now = time.monotonic()
        found = [
            (self._turn(opened, channel).at, opened, channel)
            for opened in calls
            for channel in opened.call.channels
            if opened.call.fresh_ms(channel) >= _ENOUGH_MS
        ]
        due = [one for one in found if now - one[0] >= INTERVAL_SECONDS]
        return [(opened, channel) for _, opened, channel in sorted(due, key=lambda one: one[0])]

    def _turn(self, opened: Opened, channel: int) -> _Turn:
        return self._turns.setdefault((opened.call.call_id, channel), _Turn())

    async def _hear(self, opened: Opened, channel: int) -> None:
        turn = self._turn(opened, channel)
        turn.at = time.monotonic()
        window = opened.call.window(channel)
        try:
            segments = await self._segments(opened, window)
        except EngineFailed as error:
            turn.failures += 1
            log.warning("live text: not heard", call_id=str(opened.call.call_id), error=error)
            if turn.failures >= _FAILURES:
                turn.failures = 0
                opened.call.give_up(window)
            return
        turn.failures = 0
        opened.call.heard(window, segments)

    async def _segments(self, opened: Opened, window: Window) -> Sequence[Segment]:
        call = opened.call
        language = call.language or await self._language(opened, window)
        if language is None:
            return []
        segments = await self.engine.hear(window.audio, language, opened.settings.vocabulary)
        if segments:
            # Only words prove a language: music that passed for speech does not.
            call.language = language
        return segments

    async def _language(self, opened: Opened, window: Window) -> str | None:
        known = (await self.engine.describe()).languages
        if opened.chunk_language in known:
            return opened.chunk_language
        if window.end_ms - window.begin_ms < _LANGUAGE_MS:
            return None
        return choose_language([await self.engine.languages(window.audio)])
