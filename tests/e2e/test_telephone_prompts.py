"""Human telephone speech through the whole system: streamed, sealed, transcribed, read by a supervisor."""

from __future__ import annotations

from pathlib import Path

import pytest

import audio_files
import sounds
from scoring import word_error_rate
from whole import Whole, a_call, heard, stream

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.s3, pytest.mark.slow]


@pytest.mark.guarantee("T5")
@pytest.mark.sounds
def test_telephone_prompts_are_read_as_they_were_spoken(whole: Whole, tmp_path: Path) -> None:
    """Four minutes on two channels, as G.711 µ-law, which is what a telephone network carries."""
    call = sounds.prompt_call()
    file = tmp_path / "prompts.wav"
    pcm = call.samples.tobytes()
    file.write_bytes(audio_files.encoded(pcm, sounds.RATE, 2, "wav", "pcm_mulaw"))
    call_id = stream(whole, a_call("prompts", "en"), file, speed=40)
    assert word_error_rate(" ".join(call.said), " ".join(heard(whole, call_id))) <= 0.08
