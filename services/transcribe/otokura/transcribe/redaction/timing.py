"""When the redacted characters were said, by the times of the words."""

from __future__ import annotations

from collections.abc import Sequence

from otokura.shared.redacted import word_offsets
from otokura.shared.transcripts import Turn

PADDING_MS = 120
"""At both ends. Whisper's word times are off by about as much, and a digit's last sound gives it away."""
DIGIT_MS = 1000
"""What a digit takes at most, with its share of the pauses between groups."""
LETTER_MS = 500
"""What any other character takes at most: a kanji has up to three beats."""


def said_between(turns: Sequence[Turn], number: int, start: int, end: int) -> tuple[int, int]:
    """The milliseconds of the recording in which characters [start, end) of the turn `number` were said.

    Whisper makes one word of a whole row of digits, and of long words only one end's time holds
    (`otokura.transcribe.timing`). So what lies between the words beside them counts too, for as long as the
    characters can take: nobody was heard to say anything else there.

    Where no word's time covers the characters, the whole turn: what cannot be placed is not heard at all.

    Args:
        turns: of the whole call, in order.
        number: of the turn, from 0.
        start: the first character.
        end: the character after the last.
    """
    turn = turns[number]
    touched = [i for i, (first, last) in enumerate(word_offsets(turn)) if first < end and start < last]
    begin = min((turn.words[i].start_ms for i in touched), default=0)
    finish = max((turn.words[i].end_ms for i in touched), default=0)
    if finish <= begin:
        return _padded(turn.start_ms, max(turn.end_ms, turn.start_ms))
    longest = _longest(turn.text[start:end])
    before = turn.words[touched[0] - 1].end_ms if touched[0] else _heard_before(turns, number)
    earliest = max(before, finish - longest)
    latest = begin + longest
    if touched[-1] + 1 < len(turn.words):
        latest = min(latest, turn.words[touched[-1] + 1].start_ms)
    elif (after := _heard_after(turns, number)) is not None:
        latest = min(latest, after)
    return _padded(min(begin, earliest), max(finish, latest))


def _padded(begin: int, finish: int) -> tuple[int, int]:
    return max(0, begin - PADDING_MS), finish + PADDING_MS


def _longest(text: str) -> int:
    return sum(DIGIT_MS if char.isnumeric() else LETTER_MS for char in text if char.isalnum())


def _heard_before(turns: Sequence[Turn], number: int) -> int:
    """Where the channel's turn before ends."""
    channel = turns[number].channel
    return next((turn.end_ms for turn in reversed(turns[:number]) if turn.channel == channel), 0)


def _heard_after(turns: Sequence[Turn], number: int) -> int | None:
    """Where the channel's next turn begins; None if there is none."""
    channel = turns[number].channel
    return next((turn.start_ms for turn in turns[number + 1 :] if turn.channel == channel), None)
