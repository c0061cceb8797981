"""A turn as rules and summaries read it: folded text that knows where it stood, and sentences. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from otokura.shared.insight.phrases import (
    REDACTED,
    SENTENCE_END,
    SEPARATOR,
    folded,
    is_spoken,
    tokens,
)
from otokura.shared.redacted import word_offsets
from otokura.shared.transcripts import Transcript, Turn

PAUSE_MS = 700
"""A pause that ends a sentence where the recogniser wrote no full stop."""
_ENDS = "。！？!?｡\n"

Place = tuple[int, int]
"""[start, end) in characters of the turn's text."""


@dataclass(frozen=True)
class Hay:
    """What phrases are looked for in, and for each of its characters where it stood in the turn's text."""

    text: str
    starts: list[int]
    ends: list[int]

    def place(self, start: int, end: int) -> Place:
        """Where `text[start:end]` stood."""
        return self.starts[start], self.ends[end - 1]


class Reading:
    """One turn of a redacted transcript.

    Args:
        number: the turn's place in the transcript.
        turn: it.
        marks: where the brackets of what was redacted stand.
    """

    def __init__(self, number: int, turn: Turn, marks: Sequence[Place] = ()) -> None:
        self.number = number
        self.turn = turn
        self.marks = sorted(marks)

    @cached_property
    def sentences(self) -> list[Place]:
        """The sentences, without the spaces around them."""
        text = self.turn.text
        cuts = sorted({0, len(text), *self._stops(), *self._pauses()})
        places = [_stripped(text, start, end) for start, end in pairwise(cuts)]
        return [place for place in places if place[0] < place[1]]

    def sentence_of(self, place: Place) -> Place:
        """The sentence, or the sentences, in which a place lies."""
        holding = [one for one in self.sentences if one[0] < place[1] and place[0] < one[1]]
        return (holding[0][0], holding[-1][1]) if holding else place

    def times(self, place: Place) -> Place:
        """When the words of a place were said, in ms; the turn's times where no word is known for it."""
        words = [
            word
            for word, span in zip(self.turn.words, self._offsets, strict=True)
            if span[0] < place[1] and place[0] < span[1]
        ]
        if not words:
            return self.turn.start_ms, self.turn.end_ms
        return min(word.start_ms for word in words), max(word.end_ms for word in words)

    def is_redacted(self, place: Place) -> bool:
        """Whether something in a place was redacted."""
        return any(start < place[1] and place[0] < end for start, end in self.marks)

    @cached_property
    def by_character(self) -> Hay:
        """For Japanese: what is spoken, without spaces and commas."""
        writer = _Writer()
        for shown, start, end in self._folded:
            for character in shown:
                if is_spoken(character):
                    writer.add(character, start, end)
        return writer.hay()

    @cached_property
    def by_word(self) -> Hay:
        """For other languages: a separator before each word and behind the last."""
        line = _Writer()
        for shown, start, end in self._folded:
            for character in shown:
                line.add(character, start, end)
        writer = _Writer()
        writer.add(SEPARATOR, 0, 0)
        for start, end in tokens(line.hay().text):
            for i in range(start, end):
                writer.add(line.text[i], line.starts[i], line.ends[i])
            writer.add(SEPARATOR, line.ends[end - 1], line.ends[end - 1])
        return writer.hay()

    @cached_property
    def _offsets(self) -> list[Place]:
        return word_offsets(self.turn)

    @cached_property
    def _folded(self) -> list[tuple[str, int, int]]:
        """Folded characters with their places; a redacted stretch is one, the end of a sentence is one."""
        text = self.turn.text
        stops = set(self._stops())
        found: list[tuple[str, int, int]] = []
        at = 0
        for start, end in [*self.marks, (len(text), len(text))]:
            for i in range(at, start):
                found.append((folded(text[i]), i, i + 1))
                if i + 1 in stops:
                    found.append((SENTENCE_END, i + 1, i + 1))
            if start < end:
                found.append((REDACTED, start, end))
            at = max(at, end)
        if found and found[-1][0] != SENTENCE_END:
            found.append((SENTENCE_END, len(text), len(text)))
        return found

    def _stops(self) -> Iterator[int]:
        """Behind each full stop. A dot ends a sentence where a space or nothing follows it."""
        text = self.turn.text
        for i, character in enumerate(text):
            if character in _ENDS or (character == "." and not text[i + 1 : i + 2].strip()):
                yield i + 1

    def _pauses(self) -> Iterator[int]:
        """Where the next word begins after a pause."""
        words = self.turn.words
        for i in range(1, len(words)):
            if words[i].start_ms - words[i - 1].end_ms >= PAUSE_MS:
                yield self._offsets[i][0]


class _Writer:
    """A `Hay` that grows."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.starts: list[int] = []
        self.ends: list[int] = []

    def add(self, character: str, start: int, end: int) -> None:
        """One more character, which stood at [start, end) of the turn's text."""
        self.text.append(character)
        self.starts.append(start)
        self.ends.append(end)

    def hay(self) -> Hay:
        """All that was added."""
        return Hay("".join(self.text), self.starts, self.ends)


def readings(transcript: Transcript) -> list[Reading]:
    """The turns of a redacted transcript.

    Raises:
        ValueError: nobody has looked for what to redact.
    """
    if transcript.redactions is None:
        raise ValueError("The transcript was never searched for what to redact.")
    marks: dict[int, list[Place]] = {}
    for one in transcript.redactions:
        marks.setdefault(one.turn, []).append((one.start, one.end))
    return [Reading(number, turn, marks.get(number, ())) for number, turn in enumerate(transcript.turns)]


def _stripped(text: str, start: int, end: int) -> Place:
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end
