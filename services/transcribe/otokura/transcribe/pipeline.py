"""What every Whisper needs around it: voice detection, chunks, batches, words in their places, a guard."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby

import numpy as np

from otokura.transcribe import guard, voice
from otokura.transcribe.alignment import Stretch, place
from otokura.transcribe.chunks import Chunk, batches, pack, passed_over
from otokura.transcribe.engine import SAMPLE_RATE, Description, Floats, HeardWord, Pcm16, Segment
from otokura.transcribe.recogniser import Decoded, Recogniser
from otokura.transcribe.timing import words_of

# Seconds of speech that decide on the language: Whisper looks at 30 s at once.
_LANGUAGE_SECONDS = 30
# How often anything is heard at most: with others, alone, and what follows the end that was imagined then.
# What has no text after that is noise; a model that finds a word at its beginning could be asked for ever.
_TIMES = 3


class SpeechEngine:
    """`otokura.transcribe.engine.Engine` over any recogniser."""

    def __init__(self, recogniser: Recogniser) -> None:
        self._recogniser = recogniser
        self._threads = ThreadPoolExecutor(recogniser.batching.parallel)

    def describe(self) -> Description:
        """As `Engine.describe`."""
        return self._recogniser.describe()

    def languages(self, audio: Pcm16) -> dict[str, float]:
        """As `Engine.languages`: judged on the first 30 s of speech."""
        samples = _floats(audio)
        stretches = voice.find(samples)
        if not stretches:
            return {}
        spoken = np.concatenate([voice.cut(samples, stretch) for stretch in stretches])
        return self._recogniser.languages(spoken[: _LANGUAGE_SECONDS * SAMPLE_RATE])

    def hear(
        self, audios: Sequence[Pcm16], language: str, vocabulary: Sequence[str] = ()
    ) -> list[list[Segment]]:
        """As `Engine.hear`."""
        samples = [_floats(audio) for audio in audios]
        found = self._threads.map(voice.find, samples)
        chunks = [chunk for number, stretches in enumerate(found) for chunk in pack(number, stretches)]

        def decode(batch: Sequence[Chunk]) -> list[Decoded]:
            return self._recogniser.decode([_cut(samples, chunk) for chunk in batch], language, vocabulary)

        heard: list[list[Segment]] = [[] for _ in audios]
        for _ in range(_TIMES):
            texts = self._decoded(chunks, decode)
            for chunk, text in texts:
                heard[chunk.audio].extend(segments(chunk, text))
            chunks = [rest for chunk, text in texts for rest in passed_over(chunk, text.words)]
        for spoken in heard:
            spoken.sort(key=lambda segment: segment.words[0].start_ms)
        return heard

    def _decoded(
        self, chunks: Sequence[Chunk], decode: Callable[[Sequence[Chunk]], list[Decoded]]
    ) -> list[tuple[Chunk, Decoded]]:
        """What is said in each chunk, in batches, on all threads."""
        together = batches(chunks, self._recogniser.batching)
        decoded = self._threads.map(decode, together)
        return [
            pair
            for batch, texts in zip(together, decoded, strict=True)
            for pair in zip(batch, texts, strict=True)
        ]


def segments(chunk: Chunk, text: Decoded) -> Iterator[Segment]:
    """What was said in each stretch of a chunk, where anything was."""
    words = place([chunk.restored(word) for word in words_of(text.words)], chunk.stretches)
    for stretch, spoken in _by_stretch(words, chunk.stretches):
        support = guard.Support(stretch.voice, text.no_speech_prob, text.avg_logprob, text.compression_ratio)
        verdict = guard.judge(spoken, support)
        if verdict is not guard.Verdict.WITHHOLD:
            yield Segment(
                words=spoken,
                avg_logprob=text.avg_logprob,
                no_speech_prob=text.no_speech_prob,
                compression_ratio=text.compression_ratio,
                doubtful=verdict is guard.Verdict.DOUBT,
            )


def _by_stretch(
    words: Iterable[HeardWord], stretches: Sequence[Stretch]
) -> Iterator[tuple[Stretch, list[HeardWord]]]:
    def home(word: HeardWord) -> int:
        return max(n for n, stretch in enumerate(stretches) if n == 0 or stretch.start_ms <= word.start_ms)

    for number, spoken in groupby(words, key=home):
        yield stretches[number], list(spoken)


def _cut(samples: Sequence[Floats], chunk: Chunk) -> Floats:
    return np.concatenate([voice.cut(samples[chunk.audio], stretch) for stretch in chunk.stretches])


def _floats(audio: Pcm16) -> Floats:
    return audio.astype(np.float32) / np.float32(32768)
