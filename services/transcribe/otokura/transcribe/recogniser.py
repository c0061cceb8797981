"""The seam below `Engine`: a model that decodes up to 30 s of speech, and the words that cross it.

`otokura.transcribe.pipeline` does what every Whisper needs around it; a recogniser is only the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from otokura.transcribe.alignment import AlignedWord
from otokura.transcribe.engine import Description, Floats


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a model makes of one chunk; times in ms from the chunk's beginning, trust as in `Segment`.

    `words` are as the alignment has them, silence at the edges of sentences included.
    """

    words: list[AlignedWord]
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float


class Recogniser(Protocol):
    """A speech recognition model that is loaded."""

    @property
    def batch(self) -> int:
        """How many chunks one call of `decode` should get: more need more memory."""
        ...

    @property
    def parallel(self) -> int:
        """How many calls may go on at once, in threads."""
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
