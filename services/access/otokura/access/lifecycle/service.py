"""Pure decisions of the end of a recording: what an erasure waits for, and until when something is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from otokura.access.lifecycle.views import RetentionRules
from otokura.shared.events import ErasedKind

SERVICES = ("access", "audit", "ingest", "transcribe")
"""Whose confirmations an erasure needs."""
_SOON, _LATER = timedelta(seconds=15), timedelta(hours=1)


class Obstacle(StrEnum):
    """What an erasure waits for."""

    LIVE = "live"
    """The call has no final state yet: it is still recorded, or sealed."""
    HELD = "held"
    """Somebody holds it."""
    MINIMUM = "minimum"
    """The tenant keeps such calls for a time."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What there is to know of a call before its erasure begins.

    Attributes:
        settled: it has its final state.
        started_at: when it began; None as long as that has not come.
        held_until: when the last of its holds ends by itself; None: nobody holds it, or for ever.
        held: somebody holds it.
    """

    settled: bool
    started_at: datetime | None
    held: bool
    held_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """What is waited for, and when to look again."""

    obstacle: Obstacle
    until: datetime


def kept_until(rules: RetentionRules, kind: ErasedKind, started_at: datetime) -> datetime:
    """Until when nothing of this kind goes: a whole call is kept as long as any of its kinds."""
    every = [rules.call.min_days, rules.recording.min_days, rules.transcript.min_days]
    days = max(every) if kind is ErasedKind.CALL else rules.of(kind).min_days
    return started_at + timedelta(days=days)


def wait_of(standing: Standing, rules: RetentionRules, kind: ErasedKind, now: datetime) -> Wait | None:
    """Why the erasure cannot begin now; None when it can.

    A hold is looked at first: what it is for must not be told from anything else.
    """
    if standing.held:
        return Wait(Obstacle.HELD, min(standing.held_until or now + _LATER, now + _LATER))
    if not standing.settled or standing.started_at is None:
        return Wait(Obstacle.LIVE, now + _SOON)
    kept = kept_until(rules, kind, standing.started_at)
    return Wait(Obstacle.MINIMUM, min(kept, now + _LATER)) if kept > now else None
