"""Where a phrase stands in a transcript, and what of it is shown: pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from otokura.access.search.text import fold, fold_with_places
from otokura.access.search.views import Highlight
from otokura.shared.redacted import word_offsets
from otokura.shared.transcripts import Transcript, Turn

AROUND = 40
"""Characters of the turn that are shown before and behind the phrase."""
SHOWN = 5
"""Places that are shown of one call."""


@dataclass(frozen=True, slots=True)
class Match:
    """The places of a phrase in a transcript: how many there are, and the first of them."""

    count: int
    highlights: list[Highlight]


def match(transcript: Transcript, phrase: str) -> Match | None:
    """The places of a folded phrase; None where it does not stand in any turn.

    Args:
        transcript: as the reader may see it.
        phrase: folded.
    """
    count = 0
    highlights: list[Highlight] = []
    for number, turn in enumerate(transcript.turns):
        if phrase not in fold(turn.text):
            continue
        for start, end in fold_with_places(turn.text).find(phrase):
            count += 1
            if len(highlights) < SHOWN:
                highlights.append(_highlight(number, turn, start, end))
    return Match(count, highlights) if count else None


def _highlight(number: int, turn: Turn, start: int, end: int) -> Highlight:
    begin = max(0, start - AROUND)
    times = list(_times(turn, start, end))
    return Highlight(
        turn=number,
        channel=turn.channel,
        role=turn.role,
        start_ms=min((first for first, _ in times), default=turn.start_ms),
        end_ms=max((last for _, last in times), default=turn.end_ms),
        text=turn.text[begin : end + AROUND],
        start=start - begin,
        end=end - begin,
    )


def _times(turn: Turn, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The times of the words that the place touches."""
    for word, (first, last) in zip(turn.words, word_offsets(turn), strict=True):
        if first < end and start < last:
            yield word.start_ms, word.end_ms
