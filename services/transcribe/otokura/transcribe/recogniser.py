"""The seam below `Engine`: a model that decodes up to 30 s of speech, and the words that cross it.

`otokura.transcribe.pipeline` does what every Whisper needs around it; a recogniser is only the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from otokura.transcribe.alignment import AlignedWord
from otokura.transcribe.chunks import Batching
from otokura.transcribe.engine import SAMPLE_RATE, Description, Floats


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a model makes of one chunk; times in ms from the chunk's beginning, trust as in `Segment`.

    `words` are as the alignment has them, silence at the edges of sentences included.
    """

    words: list[AlignedWord]
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float


_LONGEST_TEXT = 224
"""Whisper was never taught longer texts for 30 s (`sample_len` of the original)."""
_TOKENS_A_SECOND, _TOKENS_BESIDES = 12, 20
"""The fastest of 260 synthesised turns took 8 a second, rows of digits with commas between them included."""


def longest_text(chunks: Sequence[Floats]) -> int:
    """How many tokens the text of the longest chunk may have: nobody says more, so a loop ends there.

    A second of a syllable would otherwise loop for as long as half a minute of speech takes, and live text of
    everybody would wait for it.
    """
    seconds = max(len(chunk) for chunk in chunks) / SAMPLE_RATE
    return min(_LONGEST_TEXT, _TOKENS_BESIDES + round(_TOKENS_A_SECOND * seconds))


class Recogniser(Protocol):
    """A speech recognition model that is loaded."""

    @property
    def batching(self) -> Batching:
        """What one call of `decode` should get, and how many may go on at once."""
        ...

    def describe(self) -> Description:
        """As `Engine.describe`."""
        ...

    def languages(self, speech: Floats) -> dict[str, float]:
        """Probability by ISO 639-1 code of the language in `speech`, of which 30 s at most are heard."""
        ...

    def decode(self, chunks: Sequence[Floats], language: str, vocabulary: Sequence[str]) -> list[Decoded]:
        """What is said in each chunk, of 30 s at most, without looking at the others."""
        ...
