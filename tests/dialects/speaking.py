"""Audio that is sent as fast as it is spoken, and how often the sender itself stood still."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable

from dialects.dialect import PIECE_SECONDS, Wire

STILL_SECONDS = 0.5
"""A pause between two pieces that a machine which has no time for us makes, and no phone system."""


async def spoken(wire: Wire, messages: Iterable[str | bytes]) -> float:
    """Send each at its time; the longest pause between two of them."""
    longest, last = 0.0, time.monotonic()
    for message in messages:
        await wire.send(message)
        now = time.monotonic()
        longest, last = max(longest, now - last), now
        await asyncio.sleep(PIECE_SECONDS)
    return longest


async def without_standing_still(call: Callable[[], Awaitable[float]]) -> None:
    """Make a call, again if its sender stood still, which is rightly a gap.

    Args:
        call: makes one, under a new id; returns its longest pause that was not meant.
    """
    for _ in range(5):
        if await call() < STILL_SECONDS:
            return
    raise AssertionError("the sender stood still in each call")
