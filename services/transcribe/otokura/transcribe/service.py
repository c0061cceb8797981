"""What is decided about a job: pure functions, no clock and no network."""

from __future__ import annotations

from datetime import timedelta
from enum import Enum, auto

from otokura.shared.errors import IntegrityError, NotFound, OtokuraError, Unavailable, UnsupportedMedia

FIRST_DELAY = timedelta(seconds=1)
LONGEST_DELAY = timedelta(minutes=5)

UNDETERMINED = "und"
"""The language of a recording in which nobody speaks (BCP 47, ISO 639-2)."""


class Verdict(Enum):
    """What an error says about a job."""

    WAIT = auto()
    """Something that the job needs is away: the recording is not to blame."""
    RETRY = auto()
    """It may work another time."""
    GIVE_UP = auto()
    """It will never work."""


def judge(error: Exception) -> Verdict:
    """What to do after `error`."""
    if isinstance(error, Unavailable):
        return Verdict.WAIT
    if isinstance(error, UnsupportedMedia | IntegrityError | NotFound):
        return Verdict.GIVE_UP
    return Verdict.RETRY


def reason(error: Exception) -> str:
    """Why a recording could not be transcribed, for whoever looks at the call: never what is in it."""
    return error.title if isinstance(error, OtokuraError) else "Transcription failed unexpectedly"


def delay(attempts: int) -> timedelta:
    """How long to wait before attempt `attempts` + 1: 1, 2, 4 … seconds, at most five minutes."""
    doublings = min(max(attempts - 1, 0), 30)
    return min(FIRST_DELAY * (1 << doublings), LONGEST_DELAY)


def choose_language(heard: list[dict[str, float]]) -> str | None:
    """The language of a call, from what the engine thinks of each channel; None when nobody speaks.

    The channels' probabilities are added, so that a channel full of music does not outvote a clear voice.
    """
    total: dict[str, float] = {}
    for channel in heard:
        for code, probability in channel.items():
            total[code] = total.get(code, 0.0) + probability
    return max(total, key=lambda code: (total[code], code)) if total else None


def object_name(tenant_id: object, call_id: object, version: int) -> str:
    """Where an attempt's transcript lies. No attempt overwrites another's."""
    return f"transcripts/{tenant_id}/{call_id}/{version}"
