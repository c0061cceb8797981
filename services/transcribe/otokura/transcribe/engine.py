"""The seam behind which speech recognition lives, and the words that cross it.

An engine hears one channel, one window at a time. It knows nothing of calls, channels or tenants.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

SAMPLE_RATE = 16000
"""Hz; what every engine is given."""

Pcm16 = NDArray[np.int16]
"""One channel at `SAMPLE_RATE`, shape (samples,)."""

Floats = NDArray[np.float32]
"""The same samples as a model takes them, between -1 and 1."""


class HeardWord(BaseModel):
    """A word as the engine spells it, a leading space included where the language writes one."""

    model_config = ConfigDict(frozen=True)
    text: str
    start_ms: int = Field(ge=0)
    end_ms: int = Field(ge=0)
    confidence: float = Field(ge=0, le=1)


class Segment(BaseModel):
    """Words that were spoken without a long pause, with the engine's measures of trust.

    `avg_logprob` is the mean log-probability of the tokens, `no_speech_prob` the model's belief that nobody
    spoke, `compression_ratio` the text's size over its zlib size (a loop of repetitions compresses well):
    each of the up to 30 s that were decoded at once. `doubtful`: these very words are not to be trusted.
    """

    model_config = ConfigDict(frozen=True)
    words: list[HeardWord]
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float
    doubtful: bool = False


class Description(BaseModel):
    """What an engine is: name with version, model, and the ISO 639-1 codes of the languages it knows."""

    model_config = ConfigDict(frozen=True)
    name: str
    model: str
    languages: frozenset[str]


class Engine(Protocol):
    """Speech recognition. Implementations are not safe for concurrent use."""

    def describe(self) -> Description:
        """What this engine is, as the transcript records it."""
        ...

    def languages(self, audio: Pcm16) -> dict[str, float]:
        """Probability by ISO 639-1 code of the language spoken; empty when nobody speaks."""
        ...

    def hear(
        self, audios: Sequence[Pcm16], language: str, vocabulary: Sequence[str] = ()
    ) -> list[list[Segment]]:
        """What is said in each of `audios`, in order, with times in ms from its beginning.

        Together they are heard sooner than one after the other; none changes what is heard in another.

        Args:
            audios: windows of any channels of any calls, at `SAMPLE_RATE`.
            language: one of `Description.languages`.
            vocabulary: names and terms that are likely to be said.
        """
        ...


class RemoteEngine(Protocol):
    """An engine that answers later: `Engine` in another process.

    What is asked at the same time is heard together, and so sooner: ask for all channels at once.
    """

    async def describe(self) -> Description:
        """As `Engine.describe`."""
        ...

    async def languages(self, audio: Pcm16) -> dict[str, float]:
        """As `Engine.languages`."""
        ...

    async def hear(self, audio: Pcm16, language: str, vocabulary: Sequence[str] = ()) -> list[Segment]:
        """As `Engine.hear`, of one window."""
        ...
