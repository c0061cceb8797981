"""The background work of the end of recordings: begins what may begin, and asks for what is due."""

from __future__ import annotations

import asyncio
import time

from otokura.access.lifecycle import finality, retiring
from otokura.access.lifecycle.beginning import begin_next
from otokura.shared.database import Database
from otokura.shared.errors import Unavailable
from otokura.shared.logs import get_logger
from otokura.shared.sealed_objects import HeaderCache

LOOK_SECONDS = 1.0
_RETRY_SECONDS = 2.0

log = get_logger(__name__)


class Keeper:
    """Any number may run: rows are leased by their locks, and each call's erasure begins once.

    Args:
        database: the service's.
        headers: forgets what it remembers of a call whose erasure begins here.
        retention_seconds: how often is looked for what is due.
    """

    def __init__(self, database: Database, headers: HeaderCache, retention_seconds: float) -> None:
        self._database = database
        self._headers = headers
        self._retention_seconds = retention_seconds
        self._looked = float("-inf")

    async def run(self) -> None:
        """Works for ever; the database may come and go."""
        while True:
            try:
                await self._look()
                while await self.step():
                    continue
            except Unavailable as error:
                log.warning("lifecycle.postponed", error=error)
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                await asyncio.sleep(LOOK_SECONDS)

    async def step(self) -> bool:
        """Looks at one call whose erasure is asked for; False when none is due."""
        async with self._database.session() as session:
            call_id = await begin_next(session)
        if call_id is not None:
            self._headers.forget(str(call_id))
        return call_id is not None

    async def _look(self) -> None:
        """Now and then: what retention asks for, and what has become final."""
        if time.monotonic() - self._looked < self._retention_seconds:
            return
        async with self._database.session() as session:
            retired = await retiring.retire(session)
        async with self._database.session() as session:
            final = await finality.conclude_batch(session)
        if retired or final:
            log.info("lifecycle.looked", retired=retired, final=final)
            return  # there may be more
        self._looked = time.monotonic()
