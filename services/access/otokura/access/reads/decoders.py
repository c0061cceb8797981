"""The decoders that run at once. A reader has at most half of them: nobody keeps all others from hearing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import UUID
from weakref import WeakValueDictionary

from otokura.shared.errors import Unavailable

_LONGEST_WAIT_SECONDS = 10.0
"""For a decoder to be free."""


class Decoders:
    """Those of this process.

    Args:
        most: that run at once.
    """

    def __init__(self, most: int) -> None:
        self._free = asyncio.Semaphore(most)
        self._each = max(1, most // 2)
        self._shares = WeakValueDictionary[UUID, asyncio.Semaphore]()

    @asynccontextmanager
    async def one(self, reader_id: UUID) -> AsyncGenerator[None]:
        """One of them. A player that leaps asks for the next range before the last has ended: it may wait.

        Raises:
            Unavailable: all of them are taken, or the reader's share is.
        """
        share = self._shares.setdefault(reader_id, asyncio.Semaphore(self._each))
        try:
            # The share first: whoever waits for their own decoder to end holds up nobody else.
            async with asyncio.timeout(_LONGEST_WAIT_SECONDS):
                await share.acquire()
                try:
                    await self._free.acquire()
                except BaseException:
                    share.release()
                    raise
        except TimeoutError:
            raise Unavailable(
                "As many recordings as this service decodes at once, or for one reader, are being heard: "
                "try again soon.",
                headers={"Retry-After": "10"},
            ) from None
        try:
            yield
        finally:
            self._free.release()
            share.release()
