"""What Whisper invents is kept out; what somebody said is kept, however doubtful."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otokura.transcribe.engine import HeardWord
from otokura.transcribe.guard import Support, Verdict, judge

SPOKEN = Support(voice=0.95, no_speech_prob=0.02, avg_logprob=-0.2, compression_ratio=1.2)
MUSIC = Support(voice=0.6, no_speech_prob=0.45, avg_logprob=-0.7, compression_ratio=0.9)
STRANGE = [
    "ご視聴ありがとうございました",
    "ご視聴ありがとうございました。ご視聴ありがとうございました。",
    "チャンネル登録よろしくお願いします！",
    "Thanks for watching!",
    "Thank you for watching. Thank you for watching.",
    "Please subscribe to my channel.",
    "Subtitles by the Amara.org community",
]


def words(text: str, confidence: float = 0.9) -> list[HeardWord]:
    return [HeardWord(text=f" {one}", start_ms=0, end_ms=1, confidence=confidence) for one in text.split()]


@pytest.mark.guarantee("T51")
@pytest.mark.parametrize("text", STRANGE)
def test_how_videos_end_is_not_kept_where_the_audio_does_not_support_it(text: str) -> None:
    assert judge(words(text), MUSIC) is Verdict.WITHHOLD
    assert judge(words(text, 0.3), SPOKEN) is Verdict.WITHHOLD


@pytest.mark.guarantee("T51")
@pytest.mark.parametrize("text", STRANGE)
def test_who_really_says_it_is_heard_and_doubted(text: str) -> None:
    assert judge(words(text), SPOKEN) is Verdict.DOUBT


@pytest.mark.guarantee("T51")
@pytest.mark.parametrize("text", ["Thank you.", "ありがとうございました。", "you", "♪", "…"])
def test_everyday_words_are_kept_when_somebody_spoke_and_not_when_nobody_did(text: str) -> None:
    nobody = replace(SPOKEN, no_speech_prob=0.7)
    assert judge(words(text), SPOKEN) is Verdict.KEEP
    assert judge(words(text), nobody) is Verdict.WITHHOLD
    assert judge(words(text), replace(SPOKEN, voice=0.4)) is Verdict.WITHHOLD


def test_what_only_contains_such_a_phrase_is_kept() -> None:
    assert judge(words("Thanks for watching over my order."), SPOKEN) is Verdict.KEEP


def test_nobody_spoke_is_the_models_own_word_and_its_doubt() -> None:
    nobody = Support(voice=0.9, no_speech_prob=0.61, avg_logprob=-1.01, compression_ratio=1)
    assert judge(words("Whatever it is."), nobody) is Verdict.WITHHOLD
    assert judge(words("Whatever it is."), replace(nobody, avg_logprob=-0.9)) is Verdict.DOUBT


@pytest.mark.parametrize(
    ("support", "confidence"),
    [
        (SPOKEN, 0.3),
        (replace(SPOKEN, compression_ratio=2.5), 0.9),
        (replace(SPOKEN, no_speech_prob=0.7), 0.9),
    ],
    ids=["unsure words", "a loop", "perhaps nobody"],
)
def test_what_is_not_to_be_trusted_is_marked_and_kept(support: Support, confidence: float) -> None:
    assert judge(words("The parcel is blue.", confidence), support) is Verdict.DOUBT


@pytest.mark.guarantee("T51")
@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=5),
    st.builds(Support, st.floats(0, 1), st.floats(0, 0.6), st.floats(-5, 0), st.floats(0, 9)),
)
def test_nothing_that_is_no_stock_phrase_is_ever_dropped_while_the_model_hears_speech(
    confidences: list[float], support: Support
) -> None:
    said = [HeardWord(text=" invoice", start_ms=0, end_ms=1, confidence=one) for one in confidences]
    assert judge(said, support) is not Verdict.WITHHOLD
