"""What is decided about a delivery: pure functions, no clock and no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from otokura.ingest.webhooks.models import DeliveryState
from otokura.ingest.webhooks.sending import Answer

JITTER = 0.2
"""By what part a pause is at most longer or shorter, so that what failed together does not return so."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer means for its delivery.

    Attributes:
        state: the delivery's state from now on.
        pause: how long until the next attempt, where there is one.
    """

    state: DeliveryState
    pause: timedelta | None = None


def judge(answer: Answer, failures: int, schedule: Sequence[float], spread: float) -> Verdict:
    """Whether the delivery is done, tried again, or given up.

    Args:
        answer: of this attempt.
        failures: how many attempts of this round failed before it.
        schedule: seconds to wait after the first, second … failure.
        spread: a random number in [-1, 1].
    """
    if answer.accepted:
        return Verdict(DeliveryState.DELIVERED)
    if failures >= len(schedule):
        return Verdict(DeliveryState.FAILED)
    pause = schedule[failures] * (1 + JITTER * spread)
    return Verdict(DeliveryState.PENDING, timedelta(seconds=max(pause, answer.retry_after or 0.0)))
