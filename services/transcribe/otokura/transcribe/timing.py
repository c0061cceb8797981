"""Words that the alignment makes too long, cut to a length that can be spoken. Pure.

Whisper's alignment gives the silence at the edge of a sentence to the word beside it. The original cuts such
words to twice the median length (`whisper.timing.add_word_timestamps`); so do we, for every engine alike.
A row of digits is one word to Whisper, however long it takes to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from otokura.transcribe.alignment import AlignedWord

_SENTENCE_ENDS = tuple(".。!！?？")
_LONGEST_MEDIAN_MS = 700
_DIGIT_MS = 600
"""What a digit takes at most in a row of them, with its share of the pauses."""


def words_of(aligned: Sequence[AlignedWord]) -> list[AlignedWord]:
    """The words of one chunk; those that begin or end a sentence are at most twice the median long."""
    lengths = [word.end_ms - word.start_ms for word in aligned if word.end_ms > word.start_ms]
    usual = 2 * round(min(_LONGEST_MEDIAN_MS, median(lengths))) if lengths else 0
    words: list[AlignedWord] = []
    for number, word in enumerate(aligned):
        first = number == 0 or aligned[number - 1].text.endswith(_SENTENCE_ENDS)
        longest = max(usual, _DIGIT_MS * sum(map(str.isdigit, word.text)))
        if longest and word.end_ms - word.start_ms > longest:
            if first:
                word = replace(word, start_ms=word.end_ms - longest)  # noqa: PLW2901 - the word, shortened
            elif word.text.endswith(_SENTENCE_ENDS):
                word = replace(word, end_ms=word.start_ms + longest)  # noqa: PLW2901
        words.append(word)
    return words
