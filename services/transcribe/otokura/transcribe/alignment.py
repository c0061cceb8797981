"""Puts words back where they were spoken. Pure.

Whisper hears stretches of speech joined without the silence between them, and its alignment gives a pause
to the word that follows it. A word across a joint was therefore spoken after it: left where it is, the first
syllable of an answer would end the sentence before the question.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from otokura.transcribe.engine import HeardWord


@dataclass(frozen=True, slots=True)
class Stretch:
    """Where the voice detection found speech, in ms; `voice` is its mean probability there."""

    start_ms: int
    end_ms: int
    voice: float = 1.0

    @property
    def duration_ms(self) -> int:
        """How long it is."""
        return self.end_ms - self.start_ms


@dataclass(frozen=True, slots=True)
class AlignedWord:
    """A word as the alignment places it: times may leave the stretch that holds its middle."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float


def place(words: Sequence[AlignedWord], stretches: Sequence[Stretch]) -> list[HeardWord]:
    """The words of one segment, each within one stretch, in order, with times that never run backwards.

    Args:
        words: in the order in which they were decoded.
        stretches: in order, not overlapping; at least one when there are words.
    """
    starts = [stretch.start_ms for stretch in stretches]
    placed: list[HeardWord] = []
    clock = 0
    for word, last in _marking_last(words):
        index = max(bisect_right(starts, (word.start_ms + word.end_ms) // 2) - 1, 0)
        home, start, end = stretches[index], word.start_ms, word.end_ms
        overrun = end - home.end_ms
        if overrun > 0 and not last and index + 1 < len(stretches):
            home = stretches[index + 1]
            start, end = home.start_ms, home.start_ms + overrun
        start = max(_within(start, home), clock)
        clock = max(_within(end, home), start)
        confidence = min(max(word.confidence, 0.0), 1.0)
        placed.append(HeardWord(text=word.text, start_ms=start, end_ms=clock, confidence=confidence))
    return placed


def _within(time_ms: int, stretch: Stretch) -> int:
    return min(max(time_ms, stretch.start_ms), stretch.end_ms)


def _marking_last(words: Sequence[AlignedWord]) -> Iterable[tuple[AlignedWord, bool]]:
    """Each word, and whether it is the segment's last: nothing follows it, so no joint is behind it."""
    return ((word, i == len(words) - 1) for i, word in enumerate(words))
