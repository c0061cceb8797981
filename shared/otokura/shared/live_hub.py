"""The text of live calls, in memory: ciphertext of the newest partials, and who waits for more.

Partials repeat what became final shortly before them, so few of them hold a whole call: those between which
nothing is missing. Nothing is opened here; that takes somebody who may have it and an entry in the log.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

from otokura.shared.events import TranscriptPartial

MOST_CALLS = 5000
MOST_BYTES = 64 << 20
Position = tuple[int, int]
"""Epoch and revision."""
BEGINNING: Position = (0, 0)


@dataclass(eq=False)
class _Text:
    """One call's partials, oldest first, the newest last."""

    tenant_id: UUID
    kept: list[TranscriptPartial] = field(default_factory=list[TranscriptPartial])

    def add(self, event: TranscriptPartial) -> bool:
        """Keeps a partial that is newer than all; False when it is not."""
        if not self.kept:
            self.kept.append(event)
            return True
        if _position(event) <= _position(self.kept[-1]) or event.tenant_id != self.tenant_id:
            return False
        covered = self.kept[-2].revision if len(self.kept) > 1 else self.kept[-1].since
        if event.since <= covered:
            self.kept.pop()  # all that became final in it is in the newer one too
        self.kept.append(event)
        return True

    @property
    def bytes(self) -> int:
        return sum(len(event.sealed) for event in self.kept)


class Hub:
    """The newest text of each call; the calls that were silent longest give way."""

    def __init__(self, most_calls: int = MOST_CALLS, most_bytes: int = MOST_BYTES) -> None:
        self._most_calls = most_calls
        self._most_bytes = most_bytes
        self._texts: OrderedDict[UUID, _Text] = OrderedDict()
        self._bytes = 0
        self._waiting: dict[UUID, set[asyncio.Event]] = {}

    def add(self, event: TranscriptPartial) -> None:
        """Takes a partial; one that is not newer is dropped."""
        text = self._texts.setdefault(event.call_id, _Text(event.tenant_id))
        before = text.bytes
        news = text.add(event)
        self._bytes += text.bytes - before
        self._texts.move_to_end(event.call_id)
        while len(self._texts) > self._most_calls or (
            self._bytes > self._most_bytes and len(self._texts) > 1
        ):
            self.forget(next(iter(self._texts)))
        if news:
            self._wake(event.call_id)

    def settled(self, call_id: UUID) -> None:
        """The recording's transcript exists, or never will: it takes the place of what is here."""
        self.forget(call_id)
        self._wake(call_id)

    def forget(self, call_id: UUID) -> None:
        """Let go of a call's text: nobody here asks for it any more."""
        text = self._texts.pop(call_id, None)
        if text is not None:
            self._bytes -= text.bytes

    def newer(self, call_id: UUID, tenant_id: UUID, after: Position) -> list[TranscriptPartial]:
        """What there is of a call after a position, oldest first."""
        text = self._texts.get(call_id)
        if text is None or text.tenant_id != tenant_id:
            return []
        return [event for event in text.kept if _position(event) > after]

    @contextmanager
    def listening(self, call_id: UUID) -> Generator[asyncio.Event]:
        """An event that is set whenever there is news of a call."""
        news = asyncio.Event()
        self._waiting.setdefault(call_id, set()).add(news)
        try:
            yield news
        finally:
            self._waiting[call_id].discard(news)
            if not self._waiting[call_id]:
                del self._waiting[call_id]

    def _wake(self, call_id: UUID) -> None:
        for news in self._waiting.get(call_id, ()):
            news.set()


def _position(event: TranscriptPartial) -> Position:
    return event.epoch, event.revision
