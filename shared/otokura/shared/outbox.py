"""The transactional outbox: an event is committed with the state it tells of, and then sent.

`publish` belongs to the caller's transaction. One relay per service, held single by a PostgreSQL session
advisory lock, sends in order with acknowledgements and marks what is sent. At least once: a relay that dies
between the acknowledgement and the mark sends again. Events with one key keep their order as long as the
state's row is written (and so locked) in the same transaction, which is what an event is for.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast
from uuid import UUID

import asyncpg
import structlog
from sqlalchemy import Row, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.shared.audit import AuditWriter
from otokura.shared.audit_entries import AuditDraft, text_objection
from otokura.shared.audit_events import AuditRecorded
from otokura.shared.canonical_json import canonical_json
from otokura.shared.cloudevents import Record, encode_json
from otokura.shared.database import Database
from otokura.shared.dead_letters import Burial, buried
from otokura.shared.errors import Unavailable
from otokura.shared.events import EventData, Topic
from otokura.shared.ids import uuid7
from otokura.shared.messaging_models import OutboxRow
from otokura.shared.metrics import gauge
from otokura.shared.producer import MAX_RECORD_BYTES, Producer

RELAY_LOCK = 0x6F746F6B_75726102
"""Advisory lock key: "otokura" and 2."""
CHANNEL = "otokura_outbox"
_CHUNK = 500
_POLL_SECONDS = 1.0
_RETRY_SECONDS = 1.0
_PRUNE_SECONDS = 300.0
_NOTIFIED = "otokura_outbox_notified"
_DEAD = "dead-letter"

OLDEST = gauge("otokura_outbox_oldest_seconds", "Age of the oldest event that is not sent.")

log = structlog.stdlib.get_logger(__name__)


async def publish(session: AsyncSession, event: EventData) -> UUID:
    """Puts an event into the outbox, to be sent when the transaction has committed.

    Returns:
        The event's id.

    Raises:
        ValueError: the event is too large for Kafka.
    """
    event_id = uuid7()
    await _add(
        session,
        OutboxRow(
            event_id=event_id,
            kind="event",
            topic=event.TOPIC,
            key=event.partition_key(),
            type=event.TYPE,
            data=event.model_dump_json(),
        ),
    )
    return event_id


async def publish_dead(session: AsyncSession, event: EventData, burial: Burial) -> UUID:
    """Puts a dead letter into the outbox: something was given up, and a replay of the letter sends `event`.

    Returns:
        The event's id.
    """
    event_id = uuid7()
    await _add(
        session,
        OutboxRow(
            event_id=event_id,
            kind=_DEAD,
            topic=event.TOPIC,
            key=event.partition_key(),
            type=event.TYPE,
            data=burial.to_json(event.model_dump_json()),
        ),
    )
    return event_id


async def publish_audit(session: AsyncSession, draft: AuditDraft) -> UUID:
    """Puts an audit entry into the outbox; `AuditWriter` numbers and signs it when it is sent.

    Returns:
        The entry's id.

    Raises:
        ValueError: the draft cannot be an entry, as of `AuditWriter.write`. In the outbox it would hold up
            all that comes after it, for ever.
    """
    canonical_json(draft.detail)
    if (why := text_objection(draft.action, draft.reader, draft.detail)) is not None:
        raise ValueError(f"No audit entry: {why[1]}.")
    entry_id = uuid7()
    await _add(
        session,
        OutboxRow(
            event_id=entry_id,
            kind="audit",
            topic=Topic.AUDIT,
            key=str(entry_id),
            type=AuditRecorded.TYPE,
            data=draft.model_dump_json(),
        ),
    )
    return entry_id


async def _add(session: AsyncSession, row: OutboxRow) -> None:
    if len(row.data.encode()) > MAX_RECORD_BYTES:
        raise ValueError(f"An event of type {row.type} is too large to be sent.")
    # The state first: its row locks put the outbox ids of one key into the order of their transactions.
    await session.flush()
    session.add(row)
    await session.flush()
    if not session.info.get(_NOTIFIED):
        await (await session.connection()).execute(text(f"NOTIFY {CHANNEL}"))
        session.info[_NOTIFIED] = True


class OutboxRelay:
    """Sends what the outbox holds.

    Args:
        database: the service's.
        producer: for events.
        audit_writer: for audit entries; None where the service writes none.
        source: the CloudEvents source of the service's events, such as `otokura/ingest`.
    """

    def __init__(
        self, database: Database, producer: Producer, audit_writer: AuditWriter | None, source: str
    ) -> None:
        self._database = database
        self._producer = producer
        self._audit_writer = audit_writer
        self._source = source
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Relays for ever; while another relay holds the lock, waits to take over."""
        while True:
            try:
                async with self._leadership() as connection:
                    await self._relay(connection)
            except (Unavailable, SQLAlchemyError, OSError) as error:
                log.warning("outbox.interrupted", error=repr(error))
            await asyncio.sleep(_RETRY_SECONDS)

    @asynccontextmanager
    async def _leadership(self) -> AsyncGenerator[AsyncConnection, None]:
        """The connection that holds the lock. All work goes over it: without the lock nothing is marked."""
        async with self._database.engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            try:
                while not await self._try_lock(connection):  # noqa: ASYNC110 - only asking tells
                    await asyncio.sleep(_POLL_SECONDS)
                await self._listen(connection)
                log.info("outbox.leading", source=self._source)
                yield connection
            finally:
                # Not back into the pool: closing it is what gives the lock and the listening up.
                await connection.invalidate()

    async def _try_lock(self, connection: AsyncConnection) -> bool:
        locked = await connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": RELAY_LOCK})
        return bool(locked)

    async def _listen(self, connection: AsyncConnection) -> None:
        driver = cast("asyncpg.Connection", (await connection.get_raw_connection()).driver_connection)

        def wake(*_: object) -> None:
            self._wake.set()

        await driver.add_listener(CHANNEL, wake)
        driver.add_termination_listener(wake)

    async def _relay(self, connection: AsyncConnection) -> None:
        loop = asyncio.get_running_loop()
        pruned = loop.time() - _PRUNE_SECONDS
        while True:
            self._wake.clear()
            found, sent = await self._send_chunk(connection)
            if sent < found:
                await asyncio.sleep(_RETRY_SECONDS)
            elif found < _CHUNK:
                await self._pause()
            if loop.time() - pruned > _PRUNE_SECONDS:
                pruned = loop.time()
                await connection.execute(text("DELETE FROM outbox WHERE sent_at < now() - interval '1 day'"))

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(_POLL_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            # A notification can be lost with a connection; looking once a second cannot.
            return

    async def _send_chunk(self, connection: AsyncConnection) -> tuple[int, int]:
        """Sends the oldest rows; returns how many there were and how many are acknowledged and marked."""
        rows = (
            await connection.execute(
                text(
                    "SELECT id, event_id, kind, topic, key, type, data, created_at FROM outbox"
                    " WHERE sent_at IS NULL ORDER BY id LIMIT :limit"
                ),
                {"limit": _CHUNK},
            )
        ).all()
        OLDEST.set(time.time() - rows[0].created_at.timestamp() if rows else 0)
        if not rows:
            return 0, 0
        events = [row for row in rows if row.kind != "audit"]
        drafts = [row for row in rows if row.kind == "audit"]
        acknowledged, written = await asyncio.gather(
            self._producer.send_all([self._record(row) for row in events]), self._write_entries(drafts)
        )
        ids = [row.id for row, ok in zip([*events, *drafts], [*acknowledged, *written], strict=True) if ok]
        await connection.execute(text("UPDATE outbox SET sent_at = now() WHERE id = ANY(:ids)"), {"ids": ids})
        return len(rows), len(ids)

    def _record(self, row: Row[Any]) -> Record:
        burial, data = Burial.from_json(row.data) if row.kind == _DEAD else (None, row.data)
        record = encode_json(
            topic=row.topic,
            key=row.key,
            event_type=row.type,
            event_id=row.event_id,
            source=self._source,
            time=row.created_at,
            data=data.encode(),
        )
        return buried(record, burial) if burial else record

    async def _write_entries(self, rows: Sequence[Row[Any]]) -> list[bool]:
        return list(await asyncio.gather(*(self._write_entry(row) for row in rows)))

    async def _write_entry(self, row: Row[Any]) -> bool:
        if self._audit_writer is None:
            raise RuntimeError("The outbox holds an audit entry and this relay was given no audit writer.")
        try:
            await self._audit_writer.write(AuditDraft.model_validate_json(row.data), entry_id=row.event_id)
        except Unavailable:
            return False
        return True
