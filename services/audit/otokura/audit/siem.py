"""Sends entries to a SIEM as they come: at least once, in the log's order, from where it was left.

How far a receiver is stands in the database, and moves once a batch was received: whoever is killed between
the two sends that batch again. A receiver that is away or slow holds up itself alone: each has a thread and a
connection to the database of its own, and no transaction is open while it is waited for. What it has not been
sent stays in the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import func, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.audit import repository, siem_events, siem_syslog
from otokura.audit.instruments import SIEM_SENT
from otokura.audit.models import Entry, SiemCursor
from otokura.audit.siem_receivers import EventsReceiver, Receiver, SyslogReceiver, told
from otokura.shared.database import Database
from otokura.shared.errors import Unavailable
from otokura.shared.logs import get_logger

BATCH = 200
"""Entries that are sent, and held in memory, at once."""
LOOKED_AT = 5_000
"""Entries that one step goes past at most, looking for those of a tenant."""
_IDLE_SECONDS = 1.0
_NO_SHARD = 0
"""Notes that a receiver appeared, also where there is no shard yet."""
_SHORTEST_WAIT, _LONGEST_WAIT = 1.0, 60.0

log = get_logger(__name__)


class Sending:
    """Sends to one receiver; of several replicas one at a time does.

    Args:
        database: the service's own, with connections of its own: each receiver holds one while it is sent to.
        receiver: to whom.
        origin: the log's name.
    """

    def __init__(self, database: Database, receiver: SyslogReceiver | EventsReceiver, origin: str) -> None:
        self._database = database
        self.receiver = receiver
        self._origin = origin
        self._wait = _SHORTEST_WAIT
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"siem-{receiver.name}")

    async def run(self) -> None:
        """Sends for ever; database and receiver may come and go."""
        while True:
            try:
                worked = await self.step()
            except (Unavailable, SQLAlchemyError, OSError) as error:
                log.warning("siem postponed", receiver=self.receiver.name, error=error)
                await asyncio.sleep(self._wait)
                self._wait = min(2 * self._wait, _LONGEST_WAIT)
            else:
                self._wait = _SHORTEST_WAIT
                if not worked:
                    await asyncio.sleep(_IDLE_SECONDS)

    async def step(self) -> bool:
        """One batch of one shard; False when nothing is left, or another replica sends.

        Raises:
            Unavailable: the receiver or the database is away; the batch will be sent again.
        """
        name = self.receiver.name
        async with self._turn() as connection:
            if connection is None:
                return False
            async with _transaction(connection) as session:
                place = await self._place(session)
                if place is None:
                    return False
                year, begin, stop = place
                batch = await self._batch(session, year, begin, stop)
            if batch:
                await asyncio.get_running_loop().run_in_executor(self._thread, self._send, batch)
            # A full batch may have left some out; otherwise all of the stretch is dealt with.
            reached = batch[-1].index + 1 if len(batch) == BATCH else stop
            async with _transaction(connection) as session:
                await _move(session, name, year, reached)
        SIEM_SENT.labels(name).inc(len(batch))
        return True

    @asynccontextmanager
    async def _turn(self) -> AsyncGenerator[AsyncConnection | None]:
        """The connection that holds the receiver's lock; None: another replica's does.

        All is read and noted over it: who has lost the lock notes nothing.
        """
        # One receiver's alone: a name is hashed to a key.
        key = {"name": f"siem/{self.receiver.name}"}
        async with self._database.engine.connect() as connection:
            locked = text("SELECT pg_try_advisory_lock(hashtextextended(:name, 0))")
            try:
                mine = bool(await connection.scalar(locked, key))
                await connection.commit()
                yield connection if mine else None
            finally:
                try:
                    await connection.rollback()
                    await connection.execute(text("SELECT pg_advisory_unlock_all()"))
                    await connection.commit()
                except BaseException:
                    # Not back into the pool: closing it gives the lock up, too.
                    await connection.invalidate()
                    raise

    async def _place(self, session: AsyncSession) -> tuple[int, int, int] | None:
        """The oldest shard with anything unsent, and the stretch of it to look at; None: there is none."""
        name = self.receiver.name
        left = await unsent(session, self.receiver)
        if left is None:
            # What is there already is not sent, and that is noted before anything comes.
            await _move(session, name, _NO_SHARD, 0)
            for shard in await repository.shards(session):
                await _move(session, name, shard.shard, shard.size)
            return None
        for year, begin, size in left:
            if begin < size:
                return year, begin, min(size, begin + LOOKED_AT)
        return None

    async def _batch(self, session: AsyncSession, year: int, begin: int, stop: int) -> Sequence[Entry]:
        of = (col(Entry.shard) == year, col(Entry.index) >= begin, col(Entry.index) < stop)
        statement = select(Entry).where(*of).order_by(col(Entry.index)).limit(BATCH)
        tenant_id: UUID | None = self.receiver.tenant_id
        if tenant_id is not None:
            statement = statement.where(col(Entry.tenant_id) == tenant_id)
        return (await session.exec(statement)).all()

    def _send(self, batch: Sequence[Entry]) -> None:
        receiver = self.receiver
        shown: list[dict[str, Any]] = [told(entry, receiver.also) for entry in batch]
        if isinstance(receiver, SyslogReceiver):
            host = self._origin.partition("/")[0]
            line = partial(siem_syslog.message, host=host, enterprise=receiver.enterprise)
            siem_syslog.send(receiver, siem_syslog.framed([line(entry) for entry in shown]))
            return
        events = [siem_events.event(entry, self._origin) for entry in shown]
        siem_events.send(receiver, f"{batch[0].shard}-{batch[0].index}", siem_events.body(events))


async def unsent(session: AsyncSession, receiver: Receiver) -> list[tuple[int, int, int]] | None:
    """By shard, up to where a receiver was sent entries, and the size; None: it is new, and begins here."""
    statement = select(SiemCursor).where(col(SiemCursor.name) == receiver.name)
    cursors = {cursor.shard: cursor.next for cursor in (await session.exec(statement)).all()}
    if not cursors and not receiver.from_beginning:
        return None
    shards = await repository.shards(session)
    return [(shard.shard, cursors.get(shard.shard, 0), shard.size) for shard in shards]


@asynccontextmanager
async def _transaction(connection: AsyncConnection) -> AsyncGenerator[AsyncSession]:
    async with AsyncSession(connection, expire_on_commit=False) as session:
        yield session
        await session.commit()


async def _move(session: AsyncSession, name: str, year: int, reached: int) -> None:
    """Notes how far the receiver is; never back."""
    statement = upsert(SiemCursor).values({"name": name, "shard": year, "next": reached})
    further = func.greatest(SiemCursor.next, statement.excluded.next)
    moved = statement.on_conflict_do_update(index_elements=["name", "shard"], set_={"next": further})
    await (await session.connection()).execute(moved)
