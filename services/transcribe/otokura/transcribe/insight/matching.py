"""Looks for the phrases of rules in what was said, in time proportional to the text. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from otokura.shared.insight.phrases import (
    GAP_CHARACTERS,
    GAP_WORDS,
    SENTENCE_END,
    SEPARATOR,
    Phrase,
)
from otokura.transcribe.insight.reading import Place, Reading

MAX_MATCHES = 1000
"""Of one phrase in one turn."""


def places(reading: Reading, phrase: Phrase) -> Iterator[Place]:
    """Where a phrase is said in a turn: the shortest match from each beginning, in characters of its text."""
    hay = reading.by_word if phrase.by_word else reading.by_character
    margin = 1 if phrase.by_word else 0
    for number, start in enumerate(_beginnings(hay.text, phrase)):
        if number == MAX_MATCHES:
            return
        end = _end(hay.text, start, phrase)
        if end is not None:
            # Behind the last word of a phrase stands its separator.
            yield hay.place(start, end - margin)


def said(reading: Reading, phrases: Iterable[Phrase], unless: Iterable[Phrase]) -> list[Place]:
    """Where one of `phrases` is said and touches none of `unless`; those that overlap are one place."""
    found = sorted({place for phrase in phrases for place in places(reading, phrase)})
    if not found:
        return []
    void = [place for phrase in unless for place in places(reading, phrase)]
    kept: list[Place] = []
    for start, end in found:
        if any(start < other_end and other_start < end for other_start, other_end in void):
            continue
        if kept and start < kept[-1][1]:
            kept[-1] = (kept[-1][0], max(kept[-1][1], end))
        else:
            kept.append((start, end))
    return kept


def _beginnings(text: str, phrase: Phrase) -> list[int]:
    found: set[int] = set()
    for needle in phrase.parts[0].texts:
        # A word begins behind a separator.
        shift = 1 if phrase.by_word else 0
        whole = SEPARATOR + needle if phrase.by_word else needle
        at = text.find(whole)
        while at >= 0:
            found.add(at + shift)
            at = text.find(whole, at + 1)
    return sorted(found)


def _end(text: str, start: int, phrase: Phrase) -> int | None:
    """The nearest end of a match that begins at `start`."""
    ends = {start}
    for part in phrase.parts:
        begins = ends
        if part.gap:
            behind = _words_behind if phrase.by_word else _characters_behind
            begins = {at for end in ends for at in behind(text, end)}
        ends = {at + len(needle) for at in begins for needle in part.texts if text.startswith(needle, at)}
        if not ends:
            return None
    return min(ends)


def _characters_behind(text: str, end: int) -> range:
    """Where what follows a gap may begin, in the same sentence."""
    stop = text.find(SENTENCE_END, end, end + GAP_CHARACTERS)
    return range(end, (stop if stop >= 0 else min(len(text), end + GAP_CHARACTERS)) + 1)


def _words_behind(text: str, end: int) -> Iterator[int]:
    """As `_characters_behind`; each word has a separator behind it."""
    at = end
    yield at
    for _ in range(GAP_WORDS):
        if at >= len(text) or text[at] == SENTENCE_END:
            return
        at = text.index(SEPARATOR, at) + 1
        yield at
