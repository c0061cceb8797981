"""The turns of one channel as one text, so that a number that is split over turns is found whole."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from otokura.shared.transcripts import Turn
from otokura.transcribe.redaction.runs import TURN_END

NEIGHBOURS_MS = 30_000
"""Turns of a channel further apart than this are not one number."""
_UNRELATED = "\n\x00\n"
"""What no number goes across."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Characters [start, end) of one turn."""

    turn: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Stream:
    """What one channel said, turn after turn, and where each turn begins in `text`."""

    text: str
    turns: tuple[int, ...]
    offsets: tuple[int, ...]
    lengths: tuple[int, ...]

    def pieces(self, start: int, end: int) -> Iterator[Piece]:
        """The parts of turns that [start, end) of the text covers."""
        for i in range(bisect_right(self.offsets, start) - 1, bisect_left(self.offsets, end)):
            first, last = max(start - self.offsets[i], 0), min(end - self.offsets[i], self.lengths[i])
            if first < last:
                yield Piece(self.turns[i], first, last)

    def offset(self, turn: int) -> int:
        """Where a turn begins in the text."""
        return self.offsets[bisect_left(self.turns, turn)]

    def place(self, at: int) -> tuple[int, int]:
        """The turn that holds a character of the text, and the character's number in it."""
        last = bisect_right(self.offsets, at) - 1
        return self.turns[last], at - self.offsets[last]


def streams(turns: Sequence[Turn]) -> list[Stream]:
    """A stream for every channel."""
    return [_stream(turns, channel) for channel in sorted({turn.channel for turn in turns})]


def _stream(turns: Sequence[Turn], channel: int) -> Stream:
    text: list[str] = []
    length = 0
    numbers: list[int] = []
    offsets: list[int] = []
    for number, turn in enumerate(turns):
        if turn.channel != channel:
            continue
        if numbers:
            apart = turn.start_ms - turns[numbers[-1]].end_ms
            text.append(TURN_END if apart <= NEIGHBOURS_MS else _UNRELATED)
            length += len(text[-1])
        numbers.append(number)
        offsets.append(length)
        text.append(turn.text)
        length += len(turn.text)
    lengths = (len(turns[number].text) for number in numbers)
    return Stream("".join(text), tuple(numbers), tuple(offsets), tuple(lengths))
