"""The guard of the bucket: what is written once must have one version. Anything else is an alert, once.

Readers are served the first version (`otokura.audit.kept`), so that nothing is lost meanwhile. But whoever
puts something over a tile wants it to be believed, or the log to disappear, and somebody should hear of it.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from sqlalchemy.exc import SQLAlchemyError

from otokura.audit import repository
from otokura.audit.instruments import ALERTS
from otokura.audit.shelf import Shelf
from otokura.shared.audit_events import AuditAlerted
from otokura.shared.database import Database
from otokura.shared.errors import Unavailable
from otokura.shared.logs import get_logger

_RETRY_SECONDS = 30.0

log = get_logger(__name__)


class Guard:
    """Looks at every version of every immutable object.

    Args:
        database: the service's own.
        shelf: the bucket.
        interval: seconds between two looks.
    """

    def __init__(self, database: Database, shelf: Shelf, interval: float) -> None:
        self._database = database
        self._shelf = shelf
        self._interval = interval

    async def run(self) -> None:
        """Looks for ever; the database and the store may come and go."""
        while True:
            try:
                await self._shelf.open()
                await self.look()
            except (Unavailable, SQLAlchemyError) as error:
                log.warning("look at the bucket postponed", error=error)
                await asyncio.sleep(min(_RETRY_SECONDS, self._interval))
            else:
                await asyncio.sleep(self._interval)

    async def look(self) -> list[AuditAlerted]:
        """One look; the alerts that it raised."""
        async with self._database.session() as session:
            years = [shard.shard for shard in await repository.shards(session)]
        raised: list[AuditAlerted] = []
        for year in years:
            async for over in self._shelf.overwritten(year):
                detail = {"object": over.path, "version": over.version_id, "deleted": over.deleted}
                now = datetime.now(UTC)
                alert = AuditAlerted(kind="overwritten", source=f"log/{year}", detail=detail, at=now)
                async with self._database.session() as session:
                    fresh = await repository.raise_alert(session, alert, f"{over.path}@{over.version_id}")
                if fresh:
                    raised.append(alert)
                    ALERTS.labels(alert.kind).inc()
                    log.critical("an immutable object was written over", shard=year, **detail)
        return raised
