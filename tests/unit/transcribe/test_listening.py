"""Hearing a whole recording, window by window. The engine here answers what the test says."""

from __future__ import annotations

import tracemalloc
from collections.abc import AsyncIterator, Sequence

import numpy as np
import pytest

from otokura.transcribe.engine import SAMPLE_RATE, Description, HeardWord, Pcm16, Segment
from otokura.transcribe.listening import Heard, Listener


class Ear:
    """A `RemoteEngine` that hears one word wherever a window is not silent."""

    def __init__(self, languages: Sequence[dict[str, float]] = ({"ja": 0.9},)) -> None:
        self.guesses = list(languages)
        self.hears_words = True
        self.vocabulary: Sequence[str] = ()
        self.asked: list[tuple[str, int]] = []

    async def describe(self) -> Description:
        return Description(name="ear", model="none", languages=frozenset({"ja", "en"}))

    async def languages(self, audio: Pcm16) -> dict[str, float]:
        if not audio.any():
            return {}
        return self.guesses.pop(0) if len(self.guesses) > 1 else self.guesses[0]

    async def hear(self, audio: Pcm16, language: str, vocabulary: Sequence[str] = ()) -> list[Segment]:
        self.asked.append((language, len(audio)))
        self.vocabulary = vocabulary
        if not audio.any() or not self.hears_words:
            return []
        start = int(np.flatnonzero(audio)[0]) * 1000 // SAMPLE_RATE
        word = HeardWord(text="音", start_ms=start, end_ms=start + 100, confidence=1)
        return [Segment(words=[word], avg_logprob=0, no_speech_prob=0, compression_ratio=1)]


async def blocks(audio: Pcm16) -> AsyncIterator[Pcm16]:
    for start in range(0, len(audio), SAMPLE_RATE):
        yield audio[start : start + SAMPLE_RATE]


def recording(seconds: int, *sounds: tuple[int, int]) -> Pcm16:
    """Silence on two channels, with a sound at each (second, channel)."""
    audio = np.zeros((seconds * SAMPLE_RATE, 2), np.int16)
    for second, channel in sounds:
        audio[second * SAMPLE_RATE : second * SAMPLE_RATE + 800, channel] = 1000
    return audio


async def listen(ear: Ear, audio: Pcm16, language: str | None = None) -> Heard:
    listener = Listener(ear, 2, language=language, vocabulary=["音蔵"], window_seconds=60)
    return await listener.listen(blocks(audio))


def starts(heard: Heard, channel: int) -> list[int]:
    return [segment.words[0].start_ms for segment in heard.channels[channel]]


async def test_words_get_times_on_the_recordings_clock() -> None:
    heard = await listen(Ear(), recording(200, (5, 0), (150, 1)))
    assert starts(heard, 0) == [5000]
    assert starts(heard, 1) == [150_000]


async def test_a_known_language_is_not_guessed() -> None:
    ear = Ear([{"en": 1.0}])
    heard = await listen(ear, recording(70, (5, 0)), language="ja")
    assert heard.language == "ja"
    assert {language for language, _ in ear.asked} == {"ja"}


async def test_the_engine_is_told_the_vocabulary() -> None:
    ear = Ear()
    await listen(ear, recording(70, (5, 0)))
    assert ear.vocabulary == ["音蔵"]


async def test_the_first_words_fix_the_language_of_the_call() -> None:
    ear = Ear([{"ja": 0.9}, {"en": 0.9}])
    heard = await listen(ear, recording(200, (5, 0), (150, 0)))
    assert heard.language == "ja"
    assert {language for language, _ in ear.asked} == {"ja"}


async def test_a_guess_from_which_no_words_came_is_forgotten() -> None:
    """Minutes of hold music must not make the call English."""
    ear = Ear([{"en": 0.6}, {"ja": 0.9}])
    ear.hears_words = False
    listener = Listener(ear, 1, window_seconds=60)
    await listener._hear([(0, window) for window in listener._cutters[0].push(sound(60))])
    ear.hears_words = True
    heard = await listener.listen(blocks(sound(30).reshape(-1, 1)))
    assert heard.language == "ja"
    assert next(language for language, _ in ear.asked) == "en"


def sound(seconds: int) -> Pcm16:
    return np.full(seconds * SAMPLE_RATE, 1000, np.int16)


async def test_silence_has_no_words_and_no_language() -> None:
    heard = await listen(Ear(), recording(130))
    assert heard == Heard("und", [[], []])


@pytest.mark.guarantee("T4")
async def test_four_hours_are_heard_in_the_memory_of_one_window() -> None:
    """Four hours of two channels are 921 MB of samples; two windows and their copies are held at once."""
    hours, window = 4, 300
    seconds = hours * 3600

    async def long_call() -> AsyncIterator[Pcm16]:
        block = np.zeros((SAMPLE_RATE, 2), np.int16)
        block[:400] = 1000
        for _ in range(seconds):
            yield block.copy()

    ear = Ear()
    tracemalloc.start()
    heard = await Listener(ear, 2, window_seconds=window).listen(long_call())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(length for _, length in ear.asked) == 2 * seconds * SAMPLE_RATE
    assert max(length for _, length in ear.asked) <= window * SAMPLE_RATE
    assert len(heard.channels[0]) >= seconds // window
    assert peak < 6 * window * SAMPLE_RATE * 2
