"""Consumes `otokura.audit`: many messages a transaction, offsets after the commit.

Effects: entries are sequenced, the numbers of their sources noted, alerts raised for what is not believed.
An entry's id is unique in the log, so that a batch that comes again changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from sqlalchemy.exc import IntegrityError as UniqueViolation
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.audit import oddities, repository, sequencer
from otokura.audit.alerting import alert_of
from otokura.audit.batches import Batch, Rejected, join, read_batch
from otokura.audit.conflicts import of_ids, of_numbers
from otokura.audit.instruments import ALERTS, REJECTED, REPEATED, SEQUENCED
from otokura.audit.leaves import Prepared
from otokura.audit.news import Message
from otokura.audit.oddities import Clock
from otokura.audit.openings import Opening
from otokura.audit.progress import Progress
from otokura.audit.reconciler import note_counts
from otokura.audit.source_keys import SourceKeys
from otokura.audit.taken import Messages, Taken, has_more, rewind, starts
from otokura.audit.tallies import tally
from otokura.shared.audit_events import AuditAlerted
from otokura.shared.consumer import METADATA_MS, POLL_MS, Stalled
from otokura.shared.consumer_membership import join_group, leave_group
from otokura.shared.consumer_watchdog import Watchdog
from otokura.shared.database import Database
from otokura.shared.dead_letters import dead_letter
from otokura.shared.errors import Unavailable
from otokura.shared.events import Topic
from otokura.shared.fetching import SHORTEST_WAIT_MS, FetchPatience
from otokura.shared.kafka import KafkaSettings, Producer, Record, dead_letter_topic, ensure_topics
from otokura.shared.logs import get_logger

GROUP = "otokura-audit-log"
MAX_BATCH = 2000
_READERS = 2
_SHARE = 100
"""Messages that are worth a thread of their own."""
STALL_SECONDS = 120.0
TOPICS = [Topic.AUDIT, dead_letter_topic(Topic.AUDIT)]
_RETRY_SECONDS = 1.0

log = get_logger(__name__)


class LogConsumer:
    """Feeds the log.

    Args:
        settings: where the broker is.
        database: the service's own.
        keys: whose signatures are believed.
        progress: told how far this consumer is.
        sequenced: called after each commit that added entries.
        opening: makes the first entry of a shard.
        ahead: how far a source's clock may be before ours until it is told.
        late: how long an entry may take to the broker until it is told.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        database: Database,
        keys: SourceKeys,
        progress: Progress,
        sequenced: Callable[[], None],
        *,
        opening: Opening | None = None,
        ahead: timedelta = timedelta(seconds=60),
        late: timedelta = timedelta(seconds=900),
    ) -> None:
        self._settings = settings
        self._database = database
        self._keys = keys
        self._progress = progress
        self._sequenced = sequenced
        self._opening = opening
        self._ahead, self._late = ahead, late
        self._producer = Producer(settings)
        self._watchdog = Watchdog(settings, GROUP, [Topic.AUDIT], STALL_SECONDS)
        self._workers: dict[TopicPartition, LogConsumer] = {}
        self.waiting = False
        """Whether the database or the broker is waited for: standing still is no stall then."""

    async def run(self) -> None:
        """Consumes until it is cancelled; the broker and the database may come and go.

        Raises:
            Stalled: there is lag and nothing moves; only a new process helps.
        """
        try:
            while True:
                try:
                    await ensure_topics(self._settings, TOPICS)
                    await self._session()
                except (KafkaError, Unavailable, OSError) as error:
                    log.warning("audit consumer interrupted", error=error)
                self._progress.lost()
                await asyncio.sleep(_RETRY_SECONDS)
        finally:
            await self._producer.stop()

    async def check(self) -> None:
        """Readiness.

        Raises:
            Unavailable: the consumer is not, or not yet, a member of its group.
        """
        if not self._watchdog.alive:
            raise Unavailable("The audit consumer has not joined its group.")

    async def _session(self) -> None:
        consumer = AIOKafkaConsumer(
            Topic.AUDIT,
            bootstrap_servers=self._settings.kafka_bootstrap,
            group_id=GROUP,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            fetch_max_wait_ms=SHORTEST_WAIT_MS,
            metadata_max_age_ms=METADATA_MS,
        )
        try:
            await join_group(consumer)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._watchdog.run(consumer, self._workers))
                await self._poll(consumer)
        except* (Stalled, KafkaError, Unavailable, OSError) as errors:
            raise errors.exceptions[0] from None
        finally:
            self._watchdog.alive = False
            await leave_group(consumer)

    async def _poll(self, consumer: AIOKafkaConsumer) -> None:
        patience = FetchPatience(consumer)
        ahead: Taken | None = None
        while True:
            taken = ahead or await self._read(consumer)
            ahead = await self._take(consumer, taken) if taken.messages else None
            await self._progress.observe(consumer, datetime.now(UTC), starts(ahead))
            await patience.look()

    async def _read(self, consumer: AIOKafkaConsumer) -> Taken:
        """Fetches and verifies the next messages."""
        messages = cast("Messages", await consumer.getmany(timeout_ms=POLL_MS, max_records=MAX_BATCH))
        self._workers.update(dict.fromkeys(messages, self))
        self._watchdog.alive = True
        more = has_more(consumer, messages)
        flat = [message for part in messages.values() for message in part]
        return Taken(messages, await self._verify(flat), more=more)

    async def _verify(self, messages: Sequence[Message]) -> Batch:
        """In a few threads: while a signature is checked the others go on."""
        each = max(_SHARE, -(-len(messages) // _READERS))
        parts = [messages[at : at + each] for at in range(0, len(messages), each)]
        return join(
            await asyncio.gather(*(asyncio.to_thread(read_batch, part, self._keys) for part in parts))
        )

    async def _take(self, consumer: AIOKafkaConsumer, taken: Taken) -> Taken | None:
        """Writes and commits; meanwhile reads what comes next, if more waits, and returns it.

        When something is away, goes back, so that the loop keeps polling.
        """
        ahead = asyncio.create_task(self._read(consumer)) if taken.more else None
        try:
            written = await self._write_down(consumer, taken)
            following = await ahead if ahead is not None else None
        finally:
            if ahead is not None:
                ahead.cancel()  # of no effect on one that is done; otherwise this session ends
        if written:
            return following if following is not None and following.messages else None
        for read in (following, taken):
            rewind(consumer, read.messages if read is not None else {})
        return None

    async def _write_down(self, consumer: AIOKafkaConsumer, taken: Taken) -> bool:
        """Whether it is in the log, and committed as far as the partitions are still ours."""
        try:
            await self._apply(taken.batch)
            await self._producer.send(*(_dead_letter(rejected) for rejected in taken.batch.rejected))
        except Unavailable as error:
            log.warning("audit batch postponed", error=error)
            self.waiting = True
            self._progress.lost()
            await asyncio.sleep(_RETRY_SECONDS)
            return False
        self.waiting = False
        try:
            await consumer.commit({tp: part[-1].offset + 1 for tp, part in taken.messages.items()})
        except (CommitFailedError, IllegalStateError) as error:
            # The partition moved to another replica: it will take these again, and find them known.
            log.warning("audit offsets not committed", error=error)
        return True

    async def apply(self, messages: Sequence[Message]) -> Batch:
        """Makes a batch part of the log, in one transaction.

        Raises:
            Unavailable: the database is away; nothing happened.
        """
        batch = await self._verify(messages)
        await self._apply(batch)
        return batch

    async def _apply(self, batch: Batch) -> None:
        try:
            written = await self._write(batch)
        except UniqueViolation:
            # Another replica sequenced one of them in the shard of another year; now it is known.
            written = await self._write(batch)
        batch.rejected += written.conflicts
        SEQUENCED.inc(written.fresh)
        REPEATED.inc(len(batch.prepared) - written.fresh - len(written.conflicts))
        REJECTED.inc(len(batch.rejected))
        for alert in written.alerts:
            ALERTS.labels(alert.kind).inc()
            log.warning("audit alert", kind=alert.kind, source=alert.source, **alert.detail)
        if written.fresh:
            self._sequenced()

    async def _write(self, batch: Batch) -> _Written:
        now = datetime.now(UTC)
        odd, alerts = oddities.of_rejected(batch.rejected, self._keys), list[AuditAlerted]()
        fresh, rejected = 0, list[Rejected]()
        async with self._database.session() as session:
            if batch.news:
                noticed = await repository.note_sources(session, batch.news, now)
                odd += oddities.of_heartbeats(batch, noticed)
                conflicts = await of_numbers(session, batch, noticed.known)
                odd += oddities.of_batch(batch, noticed, conflicts, self._clock(now))
            if batch.prepared:
                fresh = await sequencer.append(session, now.year, batch.prepared, self._opening)
                rejected = await of_ids(session, batch) if fresh < len(batch.prepared) else []
                odd += oddities.of_rejected(rejected, self._keys)
                alerts += await _tell(session, batch.prepared, now)
            await note_counts(session, batch.counted)
            alerts += await tally(session, odd, now)
        return _Written(fresh, rejected, alerts)

    def _clock(self, now: datetime) -> Clock:
        heard = self._progress.current()
        return Clock(now, self._ahead, self._late, {at: one.until for at, one in heard.items()}.get)


@dataclass(frozen=True, slots=True)
class _Written:
    """What a transaction did: entries that are new, conflicting ones that are not taken, alerts."""

    fresh: int
    conflicts: list[Rejected]
    alerts: list[AuditAlerted]


async def _tell(session: AsyncSession, prepared: Sequence[Prepared], now: datetime) -> list[AuditAlerted]:
    """Raises the alerts that entries call for."""
    alerts = [(alert_of(item.event, now), item.event.entry_id) for item in prepared]
    return [
        alert
        for alert, entry_id in alerts
        if alert is not None and await repository.raise_alert(session, alert, str(entry_id))
    ]


def _dead_letter(rejected: Rejected) -> Record:
    """Kept beside the alert: once a key that was missing is known, `otokura dlq replay` brings it back."""
    return dead_letter(rejected.message, GROUP, rejected.reason, attempts=1)
