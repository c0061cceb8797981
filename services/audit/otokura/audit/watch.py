"""Watches the sources: numbers that stay missing, and sources that fall silent. Each is reported once.

A gap or a silence counts only when, for just as long, this replica has heard everything that came on the
source's partition; time is judged as of when that was so. So neither a restart of the log, nor a broker or
database that was away, nor messages out of order, nor a backlog raises an alarm.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.audit.instruments import ALERTS
from otokura.audit.models import Source
from otokura.audit.progress import Progress
from otokura.audit.repository import coverage_of, raise_alert, set_coverage, watched_sources
from otokura.shared.audit_events import AuditAlerted
from otokura.shared.database import Database
from otokura.shared.errors import Unavailable
from otokura.shared.logs import get_logger

_TICK_SECONDS = 1.0

log = get_logger(__name__)


class Watch:
    """Looks at the sources once a second.

    Args:
        database: the service's own.
        progress: how far this replica's consumer is.
        patience: how long a number may be missing.
        silence: how long a source that did not close may be silent.
    """

    def __init__(
        self, database: Database, progress: Progress, *, patience: timedelta, silence: timedelta
    ) -> None:
        self._database = database
        self._progress = progress
        self._patience = patience
        self._silence = silence

    async def run(self) -> None:
        """Watches for ever."""
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            try:
                await self.look(datetime.now(UTC))
            except (Unavailable, SQLAlchemyError) as error:
                log.warning("watch interrupted", error=error)

    async def look(self, now: datetime) -> list[AuditAlerted]:
        """One look; the alerts that it raised."""
        current = self._progress.current()
        if not current:
            return []
        raised: list[AuditAlerted] = []
        async with self._database.session() as session:
            for source in await watched_sources(session, current):
                heard = current[source.partition]
                until = min(now, heard.until)
                if until - heard.since >= self._patience:
                    raised += await self._look_for_gaps(session, source, until)
                if until - heard.since >= self._silence:
                    raised += await self._look_for_silence(session, source, until)
        for alert in raised:
            ALERTS.labels(alert.kind).inc()
            log.error("audit alert", kind=alert.kind, source=alert.source, **alert.detail)
        return raised

    async def _look_for_gaps(
        self, session: AsyncSession, source: Source, now: datetime
    ) -> list[AuditAlerted]:
        coverage = coverage_of(source)
        gaps = coverage.overdue(now, self._patience)
        if not gaps:
            return []
        set_coverage(source, coverage.alerted(gaps))
        session.add(source)
        raised: list[AuditAlerted] = []
        for gap in gaps:
            detail = {"first": gap.first, "last": gap.last, "missing_since": gap.since.isoformat()}
            alert = AuditAlerted(kind="gap", source=source.source, detail=detail, at=now)
            if await raise_alert(session, alert, f"{gap.first}-{gap.last}"):
                raised.append(alert)
        return raised

    async def _look_for_silence(
        self, session: AsyncSession, source: Source, now: datetime
    ) -> list[AuditAlerted]:
        if source.closed or source.silence_alerted or now - source.heard_at < self._silence:
            return []
        source.silence_alerted = True
        session.add(source)
        missing = sum(gap.last - gap.first + 1 for gap in coverage_of(source).gaps)
        heard: Mapping[str, str | int] = {
            "heard_at": source.heard_at.isoformat(),
            "last_seq": source.high,
            "missing": missing,
        }
        alert = AuditAlerted(kind="silent-source", source=source.source, detail=dict(heard), at=now)
        return [alert] if await raise_alert(session, alert, source.heard_at.isoformat()) else []
