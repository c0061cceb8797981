"""What is decided about a job: pure functions, no clock and no network."""

from __future__ import annotations

import math
from datetime import timedelta
from enum import Enum, auto

from otokura.shared.errors import IntegrityError, NotFound, OtokuraError, Unavailable, UnsupportedMedia
from otokura.transcribe.errors import EngineAbsent
from otokura.transcribe.models import Lane

HANDICAP = 0.25
"""Of its own length, how long a recording waits behind shorter ones that come after it. So short calls come
first, and a long one's turn comes all the same."""

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
    if isinstance(error, Unavailable | EngineAbsent):
        return Verdict.WAIT
    if isinstance(error, UnsupportedMedia | IntegrityError | NotFound):
        return Verdict.GIVE_UP
    return Verdict.RETRY


def reason(error: Exception) -> str:
    """Why a recording could not be transcribed, for whoever looks at the call: never what is in it."""
    return error.title if isinstance(error, OtokuraError) else "Transcription failed unexpectedly"


def explain(error: Exception) -> str:
    """The reason with what our own errors say beside it; of others only their kind: the text may quote."""
    about = str(error) if isinstance(error, OtokuraError) else type(error).__qualname__
    return f"{reason(error)}: {about}" if about and about != reason(error) else reason(error)


def delay(attempts: int) -> timedelta:
    """How long to wait before attempt `attempts` + 1: 1, 2, 4 … seconds, at most five minutes."""
    doublings = min(max(attempts - 1, 0), 30)
    return min(FIRST_DELAY * (1 << doublings), LONGEST_DELAY)


def handicap(duration_ms: int) -> timedelta:
    """What is added to the time at which a recording is queued, to find its place in the queue."""
    return timedelta(milliseconds=duration_ms) * HANDICAP


def names_of(model: str) -> tuple[str, ...]:
    """What a model may be asked for by: as transcripts name it, and without its compute type."""
    return tuple(dict.fromkeys((model, model.split(" ", maxsplit=1)[0])))


def lane_first(taken: int, share: float) -> Lane:
    """Into which lane a worker looks first that has taken `taken` jobs.

    Fresh jobs come before; but of every 1/`share` jobs one may be an older recording's, so that what was
    asked for again goes on, however busy the day.
    """
    return Lane.AGAIN if math.floor((taken + 1) * share) > math.floor(taken * share) else Lane.FRESH


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
    return f"{transcripts_prefix(tenant_id, call_id)}{version}"


def transcripts_prefix(tenant_id: object, call_id: object) -> str:
    """Under it lie the transcripts of a call, and nothing else."""
    return f"transcripts/{tenant_id}/{call_id}/"
