"""Human telephone speech at 8 kHz."""

from __future__ import annotations

import pytest

import sounds
import speech
from otokura.transcribe.engine import RemoteEngine
from scoring import word_error_rate


@pytest.mark.guarantee("T5")
@pytest.mark.sounds
@pytest.mark.slow
async def test_four_minutes_of_telephone_prompts_are_heard(engine: RemoteEngine) -> None:
    call = sounds.prompt_call()
    channels = speech.at_engine_rate(call.samples, sounds.RATE)
    heard = [
        "".join(word.text for segment in await engine.hear(channel, "en") for word in segment.words)
        for channel in channels
    ]
    assert word_error_rate(" ".join(call.said), " ".join(heard)) <= 0.08
