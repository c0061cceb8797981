"""So much in so long, for each of many: a budget that refills evenly (GCRA, ITU-T I.371).

Whoever was quiet may use the whole of it at once, and then goes on at its rate. In memory, and so for this
instance alone: with n instances behind a balancer a client has up to n times as much.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta

from throttled import MemoryStore, Throttled, rate_limiter

REMEMBERED = 100_000
"""Keys of one budget; of more, the one that was quiet longest starts anew."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a key stands with its budget.

    Attributes:
        amount: all of it.
        period: seconds in which all of it comes back.
        remaining: what is left.
        full_in: seconds until all of it is there again.
        wait: seconds until what was asked for is there; 0: it is, or was given.
    """

    amount: int
    period: int
    remaining: int
    full_in: float
    wait: float

    def headers(self, name: str) -> dict[str, str]:
        """What a client is told (draft-ietf-httpapi-ratelimit-headers-10)."""
        return {
            "RateLimit-Policy": f'"{name}";q={self.amount};w={self.period}',
            "RateLimit": f'"{name}";r={self.remaining};t={math.ceil(self.full_in)}',
        }


class Budget:
    """One kind of thing that may be used.

    Args:
        period: seconds in which all of an amount comes back.
    """

    def __init__(self, period: int) -> None:
        self._period = period
        self._store = MemoryStore(options={"MAX_SIZE": REMEMBERED})
        self._throttles: dict[int, Throttled] = {}

    def take(self, key: str, amount: int) -> Standing:
        """Use one of an amount, if one is left."""
        result = self._throttle(amount).limit(key)
        state = result.state
        # What is refused at the very instant before it would be given waits, too.
        wait = max(state.retry_after, 1e-3) if result.limited else 0.0
        return Standing(amount, self._period, state.remaining, state.reset_after, wait)

    def look(self, key: str, amount: int, wanted: int) -> Standing:
        """See whether so many are left, and use none; of more than the whole amount, the whole is enough."""
        state = self._throttle(amount).peek(key)
        missing = max(0, min(wanted, amount) - state.remaining)
        wait = missing * self._period / amount
        return Standing(amount, self._period, state.remaining, state.reset_after, wait)

    def spend(self, key: str, amount: int, used: int) -> None:
        """Note what was used in any case; of more than is left, all that is left."""
        throttle = self._throttle(amount)
        throttle.limit(key, cost=min(used, throttle.peek(key).remaining))

    def _throttle(self, amount: int) -> Throttled:
        throttle = self._throttles.get(amount)
        if throttle is None:
            quota = rate_limiter.per_duration(timedelta(seconds=self._period), amount)
            throttle = self._throttles[amount] = Throttled(using="gcra", quota=quota, store=self._store)
        return throttle
