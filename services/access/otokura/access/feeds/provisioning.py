"""Makes the broker as subscriptions ask: topics, and who may read them. Until it is, nothing is published."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from otokura.access.errors import BrokerUnguarded
from otokura.access.feeds import acls, repository
from otokura.access.feeds.models import FeedRecord
from otokura.access.settings import Settings
from otokura.shared import logs
from otokura.shared.database import Database
from otokura.shared.errors import OtokuraError, Unavailable
from otokura.shared.feeds import topic_of
from otokura.shared.topics import admin_client, delete_topic, ensure_topics

CLAIM = timedelta(seconds=60)
"""For so long nobody else touches a feed's topic and lists."""
_ATTEMPT_SECONDS = 45.0
_WAIT = timedelta(seconds=10)
_RETRY_SECONDS = 1.0

log = logs.get_logger(__name__)


async def check_guarded(settings: Settings) -> None:
    """Whether the broker can keep one feed's readers from another's.

    Raises:
        BrokerUnguarded: it cannot, and this is not development (there it is a warning).
        Unavailable: the broker is away.
    """
    try:
        async with admin_client(settings) as client:
            await acls.check_kept(client)
    except acls.NoAcls:
        _unguarded(settings)


class Provisioner:
    """Sees to it that feeds become ready, and that deleted ones leave nothing on the broker."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database

    async def run(self) -> None:
        """Works for ever."""
        while True:
            try:
                worked = await self.step()
            except Unavailable as error:
                log.warning("feed.cannot_prepare", error=error)
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                if not worked:
                    await asyncio.sleep(self._settings.feed_poll_seconds)

    async def step(self) -> bool:
        """Takes one feed that the broker is not ready for.

        Returns:
            Whether there was one.

        Raises:
            Unavailable: the database cannot be reached.
        """
        async with self._database.session() as session:
            feed = await repository.claim_unprovisioned(session, CLAIM)
        if feed is None:
            return False
        try:
            async with asyncio.timeout(_ATTEMPT_SECONDS):
                await self._provision(feed)
        except (OtokuraError, TimeoutError) as error:
            problem = str(error) or "The message broker does not answer."
            log.warning("feed.not_ready", feed_id=feed.id, error=problem)
            async with self._database.session() as session:
                await repository.postpone(session, feed.id, problem, _WAIT)
        else:
            log.info("feed.provisioned", feed_id=feed.id, version=feed.version)
            async with self._database.session() as session:
                await repository.provisioned(session, feed.id, feed.version)
        return True

    async def _provision(self, feed: FeedRecord) -> None:
        topic = topic_of(feed.tenant_id, feed.id)
        gone = feed.deleted_at is not None
        if not gone:
            await ensure_topics(self._settings, [topic], retention_days=self._settings.feed_retention_days)
        try:
            async with admin_client(self._settings) as client:
                await acls.replace(client, topic, [] if gone else feed.principals)
        except acls.NoAcls:
            _unguarded(self._settings)
        if gone:
            await delete_topic(self._settings, topic)


def _unguarded(settings: Settings) -> None:
    if not settings.development:
        raise BrokerUnguarded(
            "The message broker keeps no access lists, so that everybody who reaches it could read every"
            " feed: configure an authorizer (docs/analytics.md)."
        )
    log.warning("feed.broker_unguarded")
