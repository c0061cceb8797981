"""A call from end to end: what was said is what the supervisor reads."""

from __future__ import annotations

import pytest

import speech
from scoring import character_error_rate, word_error_rate
from whole import Whole, a_call, heard, stream, upload

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.s3, pytest.mark.slow]


@pytest.mark.guarantee("T5")
def test_an_english_call_that_was_uploaded(whole: Whole) -> None:
    call_id = upload(whole, a_call("en", "en"), speech.CALLS / "en-support.wav")
    said = " ".join(speech.said("en-support", channel) for channel in (0, 1))
    assert word_error_rate(said, " ".join(heard(whole, call_id))) <= 0.10


@pytest.mark.guarantee("T5")
def test_a_japanese_call_that_was_streamed_live(whole: Whole) -> None:
    call_id = stream(whole, a_call("ja", "ja"), speech.CALLS / "ja-support.wav", speed=20)
    said = "".join(speech.said("ja-support", channel) for channel in (0, 1))
    assert character_error_rate(said, "".join(heard(whole, call_id))) <= 0.15
