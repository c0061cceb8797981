"""Packs stretches of speech into chunks of at most 20 s. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from otokura.transcribe.alignment import AlignedWord, Stretch

LONGEST_MS = 20_000
"""Whisper hears 30 s at once; its encoder's attention over 20 s costs less than half of that, for it fits
into a processor's cache."""
_TOUCHED_MS = 200
"""Of a word's time, which is no more exact than that."""


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
    """The stretches in which a chunk's text has no word, each as a chunk to be heard by itself.

    Whisper takes the end of a sentence for the end of all that is said, now and then, above all when a short
    sentence and something else were joined. Its alignment then ends with the sentence.

    Args:
        chunk: what was heard; of a single stretch nothing is gained by hearing it again.
        words: of its text, with the chunk's times, as they were aligned.
    """
    if len(chunk.stretches) == 1:
        return []
    found: list[Chunk] = []
    clock = 0
    for stretch in chunk.stretches:
        begin, clock = clock, clock + stretch.duration_ms
        if not any(min(word.end_ms, clock) - max(word.start_ms, begin) > _TOUCHED_MS for word in words):
            found.append(Chunk(chunk.audio, (stretch,)))
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
