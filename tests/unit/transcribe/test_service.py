"""What is decided about a job."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from otokura.shared.errors import IntegrityError, NotFound, Unavailable, UnsupportedMedia
from otokura.transcribe.errors import EngineFailed
from otokura.transcribe.service import (
    LONGEST_DELAY,
    Verdict,
    choose_language,
    delay,
    judge,
    object_name,
    reason,
)


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (Unavailable(), Verdict.WAIT),
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
