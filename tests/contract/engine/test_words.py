"""What becomes of single words: quiet ones, numbers, the vocabulary's, those in another language."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Sequence

import numpy as np
import pytest

import speech
from otokura.transcribe.engine import SAMPLE_RATE, Pcm16, RemoteEngine, Segment
from scoring import character_error_rate, characters_lost, word_error_rate, words_lost

pytestmark = pytest.mark.asyncio(loop_scope="module")

ERRORS = {"en": word_error_rate, "ja": character_error_rate}
NOISES = (11, 12, 13)
LOST = {"en": words_lost, "ja": characters_lost}


def text(heard: Sequence[Sequence[Segment]]) -> str:
    return " ".join("".join(word.text for one in segments for word in one.words) for segments in heard)


async def hear(engine: RemoteEngine, audios: Sequence[Pcm16], language: str) -> list[list[Segment]]:
    return await asyncio.gather(*(engine.hear(audio, language) for audio in audios))


def at(dbfs: float, audio: Pcm16, seed: int) -> Pcm16:
    """`audio` with its speech at this level, in the line noise that any telephone has."""
    loud = np.sort(np.abs(audio.astype(np.float64)))[-len(audio) // 4 :]
    gain = 32768 * 10 ** (dbfs / 20) / float(np.sqrt(np.mean(loud**2)))
    noise = np.random.default_rng(seed).normal(0, 4, len(audio))
    return np.asarray(np.round(audio * gain + noise), np.int16)


@pytest.mark.slow
@pytest.mark.guarantee("T52")
@pytest.mark.parametrize("name", ["ja-support", "en-support"])
async def test_speech_at_minus_35_dbfs_is_heard_in_full(
    engine: RemoteEngine, hear_call: speech.HearCall, name: str
) -> None:
    """As well as the same speech at a usual level, nothing more is lost of it, and every turn is there.

    How well is a mean over three noises: each turns other words of a doubtful phrase around.
    """
    language = speech.script(name)["language"]
    channels = speech.sample_call(name)
    usual = await hear_call(name)
    said = " ".join(speech.said(name, channel) for channel in (0, 1))
    lost, errors = LOST[language](said, text(usual)), ERRORS[language](said, text(usual))
    found: list[float] = []
    for seed in NOISES:
        quiet = await hear(engine, [at(-35, channel, seed) for channel in channels], language)
        assert LOST[language](said, text(quiet)) <= lost + 0.005
        found.append(ERRORS[language](said, text(quiet)))
        for turn in speech.script(name)["turns"]:
            words = [word for segment in quiet[turn["channel"]] for word in segment.words]
            assert any(turn["start_ms"] - 500 < word.start_ms < turn["end_ms"] for word in words), turn[
                "text"
            ]
    assert statistics.mean(found) <= errors + 0.02


@pytest.mark.guarantee("T54")
async def test_every_word_has_a_time_and_a_confidence_numbers_included(hear_call: speech.HearCall) -> None:
    heard = await hear_call("en-support")
    words = [word for segments in heard for one in segments for word in one.words]
    assert all(0 < word.confidence <= 1 for word in words)
    numbers = [word for word in words if any(c.isdigit() for c in word.text)]
    assert numbers
    assert all(word.start_ms < word.end_ms for word in numbers)


@pytest.mark.guarantee("T56")
async def test_one_second_an_empty_channel_and_a_channel_of_zeros_are_heard_as_they_are(
    engine: RemoteEngine,
) -> None:
    second = speech.sample_call("en-support")[0][SAMPLE_RATE // 2 : SAMPLE_RATE * 3 // 2]
    heard = await hear(engine, [second, np.zeros(0, np.int16), np.zeros(SAMPLE_RATE, np.int16)], "en")
    assert heard[0] != []
    assert heard[1:] == [[], []]


@pytest.mark.guarantee("T55")
async def test_what_is_heard_together_is_heard_as_if_alone(engine: RemoteEngine) -> None:
    """In batches numbers are added in another order, so a probability may differ in its last digits."""
    first, second = (channel[: 20 * SAMPLE_RATE] for channel in speech.sample_call("ja-support"))
    together = await hear(engine, [first, second, first], "ja")
    alone = [await engine.hear(audio, "ja") for audio in (first, second, first)]
    assert [text([one]) for one in together] == [text([one]) for one in alone]


@pytest.mark.guarantee("T56")
async def test_speech_in_an_unexpected_language_is_never_dropped(engine: RemoteEngine) -> None:
    """Japanese heard as English is no good text; but a reader sees that somebody spoke, and when."""
    agent = speech.sample_call("ja-support")[0][: 20 * SAMPLE_RATE]
    [heard] = await hear(engine, [agent], "en")
    first = next(turn for turn in speech.script("ja-support")["turns"] if turn["channel"] == 0)
    words = [word for segment in heard for word in segment.words]
    assert any(first["start_ms"] - 500 < word.start_ms < first["end_ms"] for word in words)
