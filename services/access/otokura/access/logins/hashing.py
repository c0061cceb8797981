"""Passwords are hashed in threads, few at a time: the hash is slow on purpose, and anybody may ask for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from otokura.access.logins import passwords
from otokura.access.places import Places

AT_ONCE = 2
"""Each takes a core and 19 MiB."""
FROM_ONE_NETWORK = 16
"""Under way or waiting: a flood from one place holds up that place alone."""


class Hashing:
    """The passwords of a process.

    Args:
        at_once: hashed at the same time.
        from_one_network: under way or waiting, of one network.
    """

    def __init__(self, at_once: int = AT_ONCE, from_one_network: int = FROM_ONE_NETWORK) -> None:
        self._slots = asyncio.Semaphore(at_once)
        self._waiting = Places(from_one_network)

    @asynccontextmanager
    async def queue(self, network: str) -> AsyncGenerator[None]:
        """A place in the queue, to be taken before a try counts: one that is turned away was none.

        Raises:
            TooManyRequests: the network has too many waiting.
        """
        detail = "Too many people log in from your network at this moment; try again shortly."
        with self._waiting.take(network, detail, 1):
            yield

    async def hashed(self, password: str) -> str:
        """The PHC string of a password."""
        async with self._slots:
            return await asyncio.to_thread(passwords.hashed, password)

    async def matches(self, password: str, kept: str | None) -> bool:
        """Whether it is the password that was kept; the same work when none was."""
        async with self._slots:
            return await asyncio.to_thread(passwords.matches, password, kept)
