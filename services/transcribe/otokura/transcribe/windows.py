"""Cuts a channel of any length into windows, so that four hours need no more memory than five minutes.

A cut through a word would lose it, so windows end in the quietest half second near their limit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from otokura.transcribe.engine import SAMPLE_RATE, Pcm16

_FRAME = SAMPLE_RATE // 50
"""Samples in 20 ms: energy is looked at in such frames."""
_QUIET_FRAMES = 25
"""Frames in the half second that is looked for."""


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of one channel: `start_ms` on the recording's clock, and its samples."""

    start_ms: int
    audio: Pcm16


class WindowCutter:
    """Takes one channel's samples as they come and gives windows.

    Args:
        limit_seconds: the longest window.
        search_seconds: how far before the limit a quiet place may be; less than the limit.
    """

    def __init__(self, limit_seconds: int = 300, search_seconds: int = 60) -> None:
        if not 1 <= search_seconds < limit_seconds:
            raise ValueError("search_seconds must be at least 1 and less than limit_seconds")
        self._limit = limit_seconds * SAMPLE_RATE
        self._search = search_seconds * SAMPLE_RATE
        self._pieces: list[Pcm16] = []
        self._held = 0
        self._given = 0

    def push(self, samples: Pcm16) -> list[Window]:
        """Adds samples, shape (n,), n any number; gives the windows that are complete now."""
        self._pieces.append(samples)
        self._held += len(samples)
        windows: list[Window] = []
        while self._held >= self._limit:
            audio = np.concatenate(self._pieces)
            start = self._limit - self._search
            windows.append(self._take(audio, start + quietest(audio[start : self._limit])))
        return windows

    def flush(self) -> list[Window]:
        """Gives what is left: no window, or one."""
        if not self._held:
            return []
        return [self._take(np.concatenate(self._pieces), self._held)]

    def _take(self, audio: Pcm16, cut: int) -> Window:
        window = Window(start_ms=self._given * 1000 // SAMPLE_RATE, audio=audio[:cut])
        # A copy: a view would keep the whole window alive for the sake of its tail.
        self._pieces = [audio[cut:].copy()]
        self._held = len(audio) - cut
        self._given += cut
        return window


def quietest(audio: Pcm16) -> int:
    """The sample in the middle of the quietest half second of `audio`, shape (n,), n at least one second."""
    frames = audio[: len(audio) // _FRAME * _FRAME].reshape(-1, _FRAME).astype(np.float64)
    energy = np.square(frames).sum(axis=1)
    total = np.concatenate(([0.0], np.cumsum(energy)))
    stretches = total[_QUIET_FRAMES:] - total[:-_QUIET_FRAMES]
    # Of equally quiet places the last: windows are then as long as may be.
    first = len(stretches) - 1 - int(np.argmin(stretches[::-1]))
    return first * _FRAME + _QUIET_FRAMES * _FRAME // 2
