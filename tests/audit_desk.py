"""The log's consumer on a real database, without a broker: tests hand it messages."""

from __future__ import annotations

from datetime import datetime

from audit_fixtures import Log, NoBroker
from audit_logs import Scribe, keys_of, message
from otokura.audit.batches import Batch
from otokura.audit.handlers import LogConsumer
from otokura.audit.progress import Progress
from otokura.shared.audit_entries import Signed
from otokura.shared.cloudevents import Record

Event = Signed | Record


class Desk:
    """The log's consumer, with messages handed over directly; each gets the next offset."""

    def __init__(self, log: Log, *scribes: Scribe, progress: Progress | None = None) -> None:
        self.log = log
        self.consumer = LogConsumer(
            NoBroker(), log.database, keys_of(*scribes), progress or Progress(), lambda: None
        )
        self.offset = 0

    async def take(self, *events: Event, sent: datetime | None = None) -> Batch:
        messages = [message(event, self.offset + at, sent=sent) for at, event in enumerate(events)]
        self.offset += len(events)
        return await self.consumer.apply(messages)

    async def alerts(self) -> list[tuple[str, str, object, object]]:
        """Kind, source, code and count of each."""
        return [
            (kind, source, detail["code"], detail["count"])
            for kind, source, detail in await self.log.alerts()
        ]

    async def rows(self) -> list[tuple[int, str, datetime, datetime]]:
        """Number, leaf, time and sequencing time of each entry."""
        statement = "SELECT seq, leaf, time, sequenced_at FROM entries ORDER BY shard, index"
        async with self.log.database.session() as session:
            found = await (await session.connection()).exec_driver_sql(statement)
            return [(row.seq, row.leaf.decode(), row.time, row.sequenced_at) for row in found]

    async def numbers(self) -> list[int]:
        """Of the entries in the log."""
        return [seq for seq, *_ in await self.rows()]
