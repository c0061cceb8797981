"""A text that repeats itself without end, which Whisper base makes of some speech in a batch."""

from __future__ import annotations

import numpy as np
import pytest

import sounds
import speech
from otokura.transcribe.engine import SAMPLE_RATE
from otokura.transcribe.faster import FasterWhisper
from otokura.transcribe.guard import REPETITIVE

pytestmark = [pytest.mark.sounds, pytest.mark.slow]


@pytest.mark.guarantee("T57")
def test_a_text_that_repeats_itself_without_end_is_decoded_again() -> None:
    """Beside twenty seconds of silence this prompt becomes "now and forevermore" until no token is left."""
    prompt = sounds.prompt("priv-callee-options")
    [said, _] = speech.at_engine_rate(np.stack([prompt, prompt], axis=1), sounds.RATE)
    chunks = [(said[: 17 * SAMPLE_RATE] / 32768).astype(np.float32), np.zeros(20 * SAMPLE_RATE, np.float32)]
    recogniser = FasterWhisper(speech.engine_options("faster-whisper"))
    found = recogniser.decode(chunks, "en", ())[0]
    assert found.compression_ratio <= REPETITIVE
    text = "".join(word.text for word in found.words).lower()
    assert "reach you directly" in text
    assert "voicemail" in text
    assert len(found.words) < 60
