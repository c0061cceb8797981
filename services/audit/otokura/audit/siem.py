"""Sends entries to a SIEM as they come: at least once, in the log's order, from where it was left.

How far a receiver is stands in the database, and moves in the transaction in which a batch was received:
whoever is killed between the two sends that batch again. A receiver that is away holds up itself alone; what
it has not been sent stays in the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import func, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.audit import repository, siem_events, siem_syslog
from otokura.audit.instruments import SIEM_BEHIND, SIEM_SENT
from otokura.audit.models import Entry, SiemCursor
from otokura.audit.siem_receivers import EventsReceiver, SyslogReceiver, told
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
        database: the service's own.
        receiver: to whom.
        origin: the log's name.
    """

    def __init__(self, database: Database, receiver: SyslogReceiver | EventsReceiver, origin: str) -> None:
        self._database = database
        self._receiver = receiver
        self._origin = origin
        self._wait = _SHORTEST_WAIT

    async def run(self) -> None:
        """Sends for ever; database and receiver may come and go."""
        while True:
            try:
                worked = await self.step()
            except (Unavailable, SQLAlchemyError) as error:
                log.warning("siem postponed", receiver=self._receiver.name, error=error)
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
        name = self._receiver.name
        async with self._database.session() as session:
            connection = await session.connection()
            # One receiver's alone: a name is hashed to a key.
            mine = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 0))")
            if not await connection.scalar(mine, {"name": f"siem/{name}"}):
                return False
            place = await self._place(session)
            if place is None:
                return False
            year, begin, stop = place
            batch = await self._batch(session, year, begin, stop)
            if batch:
                await asyncio.to_thread(self._send, batch)
            # A full batch may have left some out; otherwise all of the stretch is dealt with.
            reached = batch[-1].index + 1 if len(batch) == BATCH else stop
            await _move(session, name, year, reached)
        SIEM_SENT.labels(name).inc(len(batch))
        return True

    async def _place(self, session: AsyncSession) -> tuple[int, int, int] | None:
        """The oldest shard with anything unsent, and the stretch of it to look at; None: there is none."""
        name = self._receiver.name
        statement = select(SiemCursor).where(col(SiemCursor.name) == name)
        cursors = {cursor.shard: cursor.next for cursor in (await session.exec(statement)).all()}
        shards = await repository.shards(session)
        if not cursors and not self._receiver.from_beginning:
            # What is there already is not sent, and that is noted before anything comes.
            await _move(session, name, _NO_SHARD, 0)
            for shard in shards:
                await _move(session, name, shard.shard, shard.size)
            return None
        left = [(shard.shard, cursors.get(shard.shard, 0), shard.size) for shard in shards]
        SIEM_BEHIND.labels(name).set(sum(size - begin for _, begin, size in left))
        for year, begin, size in left:
            if begin < size:
                return year, begin, min(size, begin + LOOKED_AT)
        return None

    async def _batch(self, session: AsyncSession, year: int, begin: int, stop: int) -> Sequence[Entry]:
        of = (col(Entry.shard) == year, col(Entry.index) >= begin, col(Entry.index) < stop)
        statement = select(Entry).where(*of).order_by(col(Entry.index)).limit(BATCH)
        tenant_id: UUID | None = self._receiver.tenant_id
        if tenant_id is not None:
            statement = statement.where(col(Entry.tenant_id) == tenant_id)
        return (await session.exec(statement)).all()

    def _send(self, batch: Sequence[Entry]) -> None:
        receiver = self._receiver
        shown: list[dict[str, Any]] = [told(entry, receiver.also) for entry in batch]
        if isinstance(receiver, SyslogReceiver):
            host = self._origin.partition("/")[0]
            line = partial(siem_syslog.message, host=host, enterprise=receiver.enterprise)
            siem_syslog.send(receiver, siem_syslog.framed([line(entry) for entry in shown]))
            return
        events = [siem_events.event(entry, self._origin) for entry in shown]
        siem_events.send(receiver, f"{batch[0].shard}-{batch[0].index}", siem_events.body(events))


async def _move(session: AsyncSession, name: str, year: int, reached: int) -> None:
    """Notes how far the receiver is; never back."""
    statement = upsert(SiemCursor).values({"name": name, "shard": year, "next": reached})
    further = func.greatest(SiemCursor.next, statement.excluded.next)
    moved = statement.on_conflict_do_update(index_elements=["name", "shard"], set_={"next": further})
    await (await session.connection()).execute(moved)
