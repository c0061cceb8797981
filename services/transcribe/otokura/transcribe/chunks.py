"""Packs stretches of speech into chunks, and chunks into batches. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from otokura.transcribe.alignment import AlignedWord, Stretch

LONGEST_MS = 12_000
"""Whisper hears 30 s at once. Of longer chunks each second costs more, for the encoder's attention, and as
a batch takes as many steps as its longest text; of shorter ones the text is worse (bench/README.md)."""
_TOUCHED_MS = 200
"""Of a word's time, which is no more exact than that."""
_PAUSE_MS = 2000
"""No stretch has so much of silence at its end (`otokura.transcribe.voice`), however inexact the last word's
time."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Stretches of one audio, heard as if there were no silence between them.

    Attributes:
        audio: which of the audios it is from.
        stretches: in order, at least one, together no longer than `LONGEST_MS`.
    """

    audio: int
    stretches: tuple[Stretch, ...]

    @property
    def duration_ms(self) -> int:
        """Length of all stretches together."""
        return sum(stretch.duration_ms for stretch in self.stretches)

    def restored(self, word: AlignedWord) -> AlignedWord:
        """`word`, whose times are the chunk's, with times of the audio, by the stretch of its middle."""
        middle, silence, clock = (word.start_ms + word.end_ms) // 2, 0, 0
        for stretch in self.stretches:
            silence = stretch.start_ms - clock
            clock += stretch.duration_ms
            if middle < clock:
                break
        return AlignedWord(word.text, word.start_ms + silence, word.end_ms + silence, word.confidence)


def passed_over(chunk: Chunk, words: Sequence[AlignedWord]) -> list[Chunk]:
    """What a chunk's text has no word of, each part as a chunk to be heard by itself.

    Whisper takes the end of a sentence for the end of all that is said, now and then, above all when a short
    sentence and something else were joined. Its alignment then ends with the sentence.

    Args:
        chunk: what was heard.
        words: of its text, with the chunk's times, as they were aligned.
    """
    end = max((word.end_ms for word in words), default=0)
    found: list[Chunk] = []
    clock = 0
    for stretch in chunk.stretches:
        begin, clock = clock, clock + stretch.duration_ms
        if not any(min(word.end_ms, clock) - max(word.start_ms, begin) > _TOUCHED_MS for word in words):
            # A stretch that was heard by itself already would be heard no better.
            if len(chunk.stretches) > 1:
                found.append(Chunk(chunk.audio, (stretch,)))
        elif begin < end < clock - _PAUSE_MS:
            rest = replace(stretch, start_ms=stretch.start_ms + end - begin)
            found.append(Chunk(chunk.audio, (rest,)))
    return found


def pack(audio: int, stretches: Sequence[Stretch]) -> Iterator[Chunk]:
    """The chunks of one audio, each as long as may be.

    Args:
        audio: goes into `Chunk.audio`.
        stretches: in order; none longer than `LONGEST_MS`.
    """
    together: list[Stretch] = []
    for stretch in stretches:
        if sum(one.duration_ms for one in together) + stretch.duration_ms > LONGEST_MS:
            yield Chunk(audio, tuple(together))
            together = []
        together.append(stretch)
    if together:
        yield Chunk(audio, tuple(together))


@dataclass(frozen=True, slots=True)
class Batching:
    """How a model decodes several chunks together.

    Attributes:
        most_ms: the audio of a batch, in which all chunks are as long as the longest: more needs more memory.
        least_ms: a shorter chunk is made so long.
        parallel: how many batches are decoded at once, in threads.
    """

    most_ms: int
    least_ms: int
    parallel: int


def batches(chunks: Sequence[Chunk], how: Batching) -> list[list[Chunk]]:
    """Batches of chunks of like length, as even as can be in as many as keep all threads busy to the end.

    Args:
        chunks: of any audios, in any order.
        how: what the model that will decode them bears.
    """
    in_order = sorted(chunks, key=lambda chunk: -chunk.duration_ms)

    def filled(most_ms: int) -> list[list[Chunk]]:
        found: list[list[Chunk]] = []
        longest = 0
        for chunk in in_order:
            if found and longest * (len(found[-1]) + 1) <= most_ms:
                found[-1].append(chunk)
            else:
                found.append([chunk])
                longest = max(chunk.duration_ms, how.least_ms)
        return found

    rounds = -(-len(filled(how.most_ms)) // how.parallel) * how.parallel
    return filled(bisect_left(range(how.most_ms), True, key=lambda most_ms: len(filled(most_ms)) <= rounds))
