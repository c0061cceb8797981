"""When the redacted characters were said, by the times of the words."""

from __future__ import annotations

from otokura.shared.redacted import word_offsets
from otokura.shared.transcripts import Turn

PADDING_MS = 120
"""At both ends. Whisper's word times are off by about as much, and a digit's last sound gives it away."""


def said_between(turn: Turn, start: int, end: int) -> tuple[int, int]:
    """The milliseconds [start, end) of the recording in which characters [start, end) of a turn were said.

    Where no word's time covers the characters, the whole turn: what cannot be placed is not heard at all.
    """
    words = [
        word
        for word, (first, last) in zip(turn.words, word_offsets(turn), strict=True)
        if first < end and start < last
    ]
    begin = min((word.start_ms for word in words), default=turn.start_ms)
    finish = max((word.end_ms for word in words), default=turn.end_ms)
    if finish <= begin:
        begin, finish = turn.start_ms, max(turn.end_ms, turn.start_ms)
    return max(0, begin - PADDING_MS), finish + PADDING_MS
