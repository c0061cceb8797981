"""Human telephone speech at 8 kHz, through one engine and through both."""

from __future__ import annotations

import asyncio

import pytest

import sounds
import speech
from otokura.transcribe.engine_process import EngineProcess
from otokura.transcribe.options import EngineName
from scoring import word_error_rate

pytestmark = [pytest.mark.sounds, pytest.mark.slow]


async def rate(name: EngineName) -> float:
    """Word error rate over four minutes of prompts."""
    call = sounds.prompt_call()
    channels = speech.at_engine_rate(call.samples, sounds.RATE)
    engine = EngineProcess(speech.engine_options(name))
    heard = await asyncio.gather(*(engine.hear(channel, "en") for channel in channels))
    await engine.close()
    text = " ".join("".join(word.text for one in segments for word in one.words) for segments in heard)
    return word_error_rate(" ".join(call.said), text)


@pytest.mark.guarantee("T5")
async def test_four_minutes_of_telephone_prompts_are_heard() -> None:
    assert await rate("faster-whisper") <= 0.08


@pytest.mark.openai
@pytest.mark.guarantee("T50")
async def test_both_engines_agree_within_a_point_on_the_same_weights() -> None:
    original, faster = await rate("openai-whisper"), await rate("faster-whisper")
    assert abs(original - faster) <= 0.01
    assert original <= 0.08
