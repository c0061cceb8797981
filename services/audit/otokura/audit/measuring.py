"""Measures the log as its rows are: how far behind, what is missing, how old the last checkpoint is.

Every replica measures the whole log, so that it does not matter which of them publishes or is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from otokura.audit.instruments import (
    CHECKPOINT_AGE,
    GAPS,
    LAG,
    MISSING,
    OLDEST_UNPUBLISHED,
    SIEM_BEHIND,
    UNPUBLISHED,
)
from otokura.audit.progress import Progress
from otokura.audit.siem import unsent
from otokura.audit.siem_receivers import Receiver
from otokura.shared.database import Database
from otokura.shared.errors import Unavailable
from otokura.shared.logs import get_logger

_TICK_SECONDS = 5.0
_LOG = text("""
    SELECT coalesce(sum(size - published_size), 0)::bigint AS unpublished,
           extract(epoch FROM now() - max(published_at))::float8 AS checkpoint_age,
           coalesce(extract(epoch FROM now() - min(
               (SELECT e.sequenced_at FROM entries e WHERE e.shard = s.shard AND e.index = s.published_size)
           )), 0)::float8 AS oldest_unpublished
      FROM log_shards s
""")
_SOURCES = text("""
    SELECT count(*) AS gaps,
           coalesce(sum((gap->>'last')::bigint - (gap->>'first')::bigint + 1), 0)::float8 AS missing
      FROM sources, jsonb_array_elements(gaps) AS gap
     WHERE gaps <> '[]' AND (gap->>'alerted')::boolean
""")

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Measures:
    """What was measured; ages in seconds.

    Attributes:
        unpublished: entries that no checkpoint covers.
        oldest_unpublished: how long the oldest of these waits; 0 when there is none.
        checkpoint_age: since the last checkpoint that said something new; None before the first.
        gaps: runs of numbers that were reported missing and have not come since.
        missing: how many numbers these are.
    """

    unpublished: int
    oldest_unpublished: float
    checkpoint_age: float | None
    gaps: int
    missing: float


class Measuring:
    """Sets the gauges every few seconds.

    Args:
        database: the service's own.
        progress: how far this replica's consumer is.
        receivers: to whom entries are sent as they come.
    """

    def __init__(self, database: Database, progress: Progress, receivers: Sequence[Receiver] = ()) -> None:
        self._database = database
        self._progress = progress
        self._receivers = receivers

    async def run(self) -> None:
        """Measures for ever. While the database is away, lag is the one thing that is known."""
        while True:
            lag = self._progress.lag()
            LAG.set(nan if lag is None else lag)
            try:
                await self.measure()
            except (Unavailable, SQLAlchemyError) as error:
                log.warning("measuring postponed", error=error)
            await asyncio.sleep(_TICK_SECONDS)

    async def measure(self) -> Measures:
        """Measures once and sets the gauges."""
        async with self._database.session() as session:
            connection = await session.connection()
            shards: Any = (await connection.execute(_LOG)).one()
            sources: Any = (await connection.execute(_SOURCES)).one()
            for receiver in self._receivers:
                left = await unsent(session, receiver) or []
                SIEM_BEHIND.labels(receiver.name).set(sum(size - begin for _, begin, size in left))
        found = Measures(
            shards.unpublished,
            shards.oldest_unpublished,
            shards.checkpoint_age,
            sources.gaps,
            sources.missing,
        )
        UNPUBLISHED.set(found.unpublished)
        OLDEST_UNPUBLISHED.set(found.oldest_unpublished)
        CHECKPOINT_AGE.set(nan if found.checkpoint_age is None else found.checkpoint_age)
        GAPS.set(found.gaps)
        MISSING.set(found.missing)
        return found
