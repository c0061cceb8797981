"""What every speech recognition engine has to do, on two sample calls and on what is not speech."""

from __future__ import annotations

import numpy as np
import pytest

import speech
from otokura.shared.events import ChannelRole
from otokura.transcribe.engine import SAMPLE_RATE, RemoteEngine, Segment
from otokura.transcribe.turns import merge
from scoring import character_error_rate, word_error_rate

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROLES = [ChannelRole.AGENT, ChannelRole.CUSTOMER]


def text(segments: list[Segment]) -> str:
    return "".join(word.text for segment in segments for word in segment.words)


@pytest.mark.guarantee("T5")
async def test_a_japanese_call_is_heard(hear_call: speech.HearCall) -> None:
    heard = await hear_call("ja-support")
    said = "".join(speech.said("ja-support", channel) for channel in (0, 1))
    assert character_error_rate(said, "".join(map(text, heard))) <= 0.15


@pytest.mark.guarantee("T5")
async def test_an_english_call_is_heard_and_its_turns_are_those_of_the_script(
    hear_call: speech.HearCall,
) -> None:
    heard = await hear_call("en-support")
    said = " ".join(speech.said("en-support", channel) for channel in (0, 1))
    assert word_error_rate(said, " ".join(map(text, heard))) <= 0.10
    speakers = [turn["channel"] for turn in speech.script("en-support")["turns"]]
    changes = [who for who, before in zip(speakers, [None, *speakers], strict=False) if who != before]
    assert [turn.channel for turn in merge(ROLES, heard)] == changes


@pytest.mark.parametrize("name", ["ja-support", "en-support"])
async def test_the_language_is_recognised_on_each_channel(engine: RemoteEngine, name: str) -> None:
    language = speech.script(name)["language"]
    for channel in speech.sample_call(name):
        probabilities = await engine.languages(channel)
        assert max(probabilities, key=probabilities.__getitem__) == language
        assert 0.99 < sum(probabilities.values()) < 1.01


async def test_words_lie_within_the_audio_in_order(engine: RemoteEngine) -> None:
    audio = speech.sample_call("en-support")[0][: 30 * SAMPLE_RATE]
    segments = await engine.hear(audio, "en")
    times = [time for segment in segments for word in segment.words for time in (word.start_ms, word.end_ms)]
    assert len(times) > 40
    assert times == sorted(times)
    assert times[-1] <= 30_000


async def test_words_are_heard_when_they_are_said(hear_call: speech.HearCall) -> None:
    """The first word of each of the script's turns, to the second: reading along needs no more."""
    turns = speech.script("en-support")["turns"]
    for channel, segments in enumerate(await hear_call("en-support")):
        heard = [word.start_ms for segment in segments for word in segment.words]
        for turn in turns:
            if turn["channel"] == channel:
                assert min(abs(start - turn["start_ms"]) for start in heard) < 1000


@pytest.mark.guarantee("T2")
@pytest.mark.parametrize("language", ["ja", "en"])
async def test_what_is_not_speech_gives_no_text(engine: RemoteEngine, language: str) -> None:
    heard = {name: text(await engine.hear(audio, language)) for name, audio in speech.not_speech().items()}
    assert heard == dict.fromkeys(heard, "")


async def test_silence_has_no_language(engine: RemoteEngine) -> None:
    assert await engine.languages(speech.not_speech(10)["digital silence"]) == {}


@pytest.mark.parametrize("samples", [0, 1, 160])
async def test_hardly_any_audio_is_nothing_heard(engine: RemoteEngine, samples: int) -> None:
    audio = np.zeros(samples, np.int16)
    assert await engine.languages(audio) == {}
    assert await engine.hear(audio, "en") == []


async def test_a_vocabulary_does_not_put_words_into_silence(engine: RemoteEngine) -> None:
    audio = speech.not_speech(20)["line noise"]
    assert await engine.hear(audio, "ja", ["音蔵", "田中"]) == []


async def test_an_engine_says_what_it_is(engine: RemoteEngine) -> None:
    described = await engine.describe()
    assert described.name
    assert described.model
    assert {"ja", "en"} <= described.languages
