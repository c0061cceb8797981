"""What is decided about a job."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from otokura.shared.errors import IntegrityError, NotFound, Unavailable, UnsupportedMedia
from otokura.transcribe.errors import EngineAbsent, EngineFailed
from otokura.transcribe.models import Lane
from otokura.transcribe.service import (
    LONGEST_DELAY,
    Verdict,
    choose_language,
    delay,
    explain,
    handicap,
    judge,
    lane_first,
    names_of,
    object_name,
    reason,
)


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (Unavailable(), Verdict.WAIT),
        (EngineAbsent(), Verdict.WAIT),
        (EngineFailed(), Verdict.RETRY),
        (RuntimeError("anything else"), Verdict.RETRY),
        (UnsupportedMedia(), Verdict.GIVE_UP),
        (IntegrityError(), Verdict.GIVE_UP),
        (NotFound(), Verdict.GIVE_UP),
    ],
)
def test_only_what_cannot_change_is_given_up(error: Exception, verdict: Verdict) -> None:
    assert judge(error) is verdict


def test_a_reason_never_quotes_an_unexpected_error() -> None:
    assert "secret" not in reason(RuntimeError("secret"))
    assert reason(IntegrityError("Segment 3 …")) == "Stored data failed its integrity check"


def test_an_explanation_says_what_our_own_errors_say_and_of_others_only_their_kind() -> None:
    assert explain(EngineFailed("It hung.")) == "Speech recognition failed: It hung."
    assert explain(RuntimeError("secret")) == "Transcription failed unexpectedly: RuntimeError"


@pytest.mark.guarantee("T70")
@pytest.mark.parametrize(("share", "older"), [(0.0, 0), (0.1, 10), (0.25, 25), (1.0, 100)])
def test_what_is_transcribed_again_gets_its_share_and_no_more(share: float, older: int) -> None:
    lanes = [lane_first(taken, share) for taken in range(100)]
    assert lanes.count(Lane.AGAIN) == older


@pytest.mark.guarantee("T70")
def test_a_recording_waits_behind_those_that_come_up_to_a_quarter_of_its_length_later() -> None:
    assert handicap(4 * 3_600_000) == timedelta(hours=1)
    assert handicap(0) == timedelta()


def test_a_model_is_known_with_and_without_its_compute_type() -> None:
    assert names_of("whisper-base int8") == ("whisper-base int8", "whisper-base")
    assert names_of("large-v3") == ("large-v3",)


def test_delays_double_up_to_five_minutes() -> None:
    assert [delay(n).total_seconds() for n in (1, 2, 3, 4)] == [1, 2, 4, 8]
    assert delay(1000) == LONGEST_DELAY == timedelta(minutes=5)


def test_channels_decide_on_the_language_together() -> None:
    """One channel of music that sounds a little English does not outvote a Japanese voice."""
    assert choose_language([{"en": 0.55, "ja": 0.2}, {"ja": 0.98, "en": 0.01}]) == "ja"


def test_nobody_speaking_is_no_language() -> None:
    assert choose_language([{}, {}]) is None
    assert choose_language([]) is None


def test_attempts_write_to_names_of_their_own() -> None:
    tenant, call = UUID(int=1), UUID(int=2)
    assert object_name(tenant, call, 3) == f"transcripts/{tenant}/{call}/3"
