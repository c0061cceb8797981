"""What is done with one record: handle it, try again, or dead-letter it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import delete, text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.shared.cloudevents import Envelope, KafkaRecord, decode, read_type
from otokura.shared.database import Database
from otokura.shared.dead_letters import dead_letter
from otokura.shared.errors import IntegrityError, OtokuraError, Poison, Unavailable
from otokura.shared.events import EventData
from otokura.shared.messaging_models import ProcessedEvent
from otokura.shared.metrics import counter
from otokura.shared.producer import Producer

_KEPT_DAYS = 30

DEAD_LETTERS = counter(
    "otokura_consumer_dead_letters_total", "Records that could not be handled.", ("topic",)
)
HANDLED = counter("otokura_consumer_events_total", "Records seen, by outcome.", ("topic", "outcome"))

log = structlog.stdlib.get_logger(__name__)


class Stalled(Exception):  # noqa: N818 - a state; the process ends with it
    """A consumer has lag, does not move, and is not waiting for anything it knows of."""


@dataclass(frozen=True, slots=True)
class EventContext:
    """Where an event came from. `attempt` counts from 1."""

    event_id: UUID
    source: str
    type: str
    time: datetime
    topic: str
    partition: int
    offset: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Subscription:
    """A type of event and what is done with it.

    Attributes:
        model: the event's data.
        handler: `async handler(session, event, context)`, in the transaction that notes the event as handled.
    """

    model: type[EventData]
    handler: Callable[[AsyncSession, Any, EventContext], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Retries:
    """Backoff: `first` seconds, doubled up to `longest`; `attempts` bounds all but `Unavailable`."""

    attempts: int = 6
    first: float = 0.25
    longest: float = 10.0

    def delay(self, attempt: int) -> float:
        """Seconds to wait after a failed attempt, counted from 1."""
        return min(self.first * float(1 << min(attempt - 1, 30)), self.longest)


class RecordHandler:
    """Handles records one by one; `handle` returns when the record's offset may be committed."""

    def __init__(
        self,
        database: Database,
        producer: Producer,
        group: str,
        subscriptions: Sequence[Subscription],
        retries: Retries,
    ) -> None:
        self._database = database
        self._producer = producer
        self._group = group
        self._retries = retries
        self._subscriptions: dict[str, list[Subscription]] = defaultdict(list)
        for subscription in subscriptions:
            self._subscriptions[subscription.model.TYPE].append(subscription)

    async def handle(self, record: KafkaRecord, waiting: Callable[[bool], None]) -> None:
        """Handles a record to its end: effect committed, passed over, or dead-lettered.

        Args:
            record: as it was received.
            waiting: told True while something that is away is waited for, and False afterwards.
        """
        kind = read_type(record.headers)
        if kind is not None and kind not in self._subscriptions:
            HANDLED.labels(record.topic, "passed-over").inc()
            return
        try:
            outcome = await self._until_done(record, decode(record), waiting)
        except Poison as error:
            outcome = await self._bury(record, error, 0, waiting)
        HANDLED.labels(record.topic, outcome).inc()

    async def _until_done(
        self, record: KafkaRecord, envelope: Envelope, waiting: Callable[[bool], None]
    ) -> str:
        attempt = 1
        waits = 0
        while True:
            try:
                return await self._apply(record, envelope, attempt)
            except Unavailable as error:
                waits += 1
                log.warning("consumer.waiting", **_place(record), type=envelope.event_type, error=str(error))
                waiting(True)
                await asyncio.sleep(self._retries.delay(waits))
                waiting(False)
            except (Poison, IntegrityError) as error:
                return await self._bury(record, error, attempt, waiting)
            except Exception as error:  # noqa: BLE001 - whatever a handler raises must not stop the partition
                if attempt >= self._retries.attempts:
                    return await self._bury(record, error, attempt, waiting)
                log.warning(
                    "consumer.retrying", **_place(record), type=envelope.event_type, error=_describe(error)
                )
                await asyncio.sleep(self._retries.delay(attempt))
                attempt += 1

    async def _apply(self, record: KafkaRecord, envelope: Envelope, attempt: int) -> str:
        """Effect and note in one transaction."""
        context = EventContext(
            envelope.event_id,
            envelope.source,
            envelope.event_type,
            envelope.time,
            record.topic,
            record.partition,
            record.offset,
            attempt,
        )
        subscriptions = self._subscriptions[envelope.event_type]
        event = envelope.parse(subscriptions[0].model)
        async with self._database.session() as session:
            if not await self._note(session, envelope.event_id):
                return "repeated"
            for subscription in subscriptions:
                await subscription.handler(session, event, context)
        return "handled"

    async def _note(self, session: AsyncSession, event_id: UUID) -> bool:
        """Notes the event as handled; False when it was already. Waits for another transaction's note."""
        note = insert(ProcessedEvent).values(consumer_group=self._group, event_id=event_id)
        done = await session.exec(note.on_conflict_do_nothing())
        return done.rowcount == 1

    async def _bury(
        self, record: KafkaRecord, error: Exception, attempts: int, waiting: Callable[[bool], None]
    ) -> str:
        """Dead-letters, however long the broker takes: the offset must not move before this is durable."""
        log.error("consumer.dead_letter", **_place(record), error=_describe(error), attempts=attempts)
        letter = dead_letter(record, self._group, _describe(error), attempts)
        waits = 0
        while True:
            try:
                await self._producer.send(letter)
            except Unavailable:
                waits += 1
                waiting(True)
                await asyncio.sleep(self._retries.delay(waits))
                waiting(False)
            else:
                DEAD_LETTERS.labels(record.topic).inc()
                return "dead-lettered"


def _describe(error: Exception) -> str:
    """Our own errors are written to be shown; the text of others may hold content, so only their kind is."""
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    return f"{type(error).__name__}: {error}" if isinstance(error, OtokuraError) else kind


def _place(record: KafkaRecord) -> dict[str, Any]:
    return {"topic": record.topic, "partition": record.partition, "offset": record.offset}


async def prune_processed(database: Database) -> None:
    """Forgets notes older than any repeat can be: longer than topics keep their records."""
    async with database.session() as session:
        old = text("processed_at < now() - make_interval(days => :days)").bindparams(days=_KEPT_DAYS)
        await session.exec(delete(ProcessedEvent).where(old))
