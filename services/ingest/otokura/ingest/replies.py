"""What goes back to phone systems while a call lasts, as far as it belongs to the process and to no session.

Recording owes nothing to it: whatever fails here is logged, and costs text.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Generator
from contextlib import contextmanager
from uuid import UUID

from otokura.ingest.told import Told
from otokura.shared.audit import AuditWriter
from otokura.shared.audit_entries import AuditDraft
from otokura.shared.background import run_together
from otokura.shared.database import Database
from otokura.shared.errors import Unavailable
from otokura.shared.kafka_settings import KafkaSettings
from otokura.shared.live_hub import Hub
from otokura.shared.live_listening import PartialsListener
from otokura.shared.logs import get_logger
from otokura.shared.outbox import publish_audit

log = get_logger(__name__)

LINGER_SECONDS = 60.0
"""So long a call is listened for after its last session: the next one finds what became final meanwhile."""
MOST_CALLS = 2000
"""Of which it is remembered what was sent; those that had no session for longest give way."""
_RETRY_SECONDS = 1.0


class Replies:
    """Hears the text of the calls that have sessions here, and remembers what of it was sent.

    The topic is listened to only while there is such a call: an ingest without AudioHook reads none of it.

    Args:
        settings: the broker.
        database: for the entries that say how disclosures ended.
        audit: writes the entries that stand before them.
    """

    def __init__(self, settings: KafkaSettings, database: Database, audit: AuditWriter) -> None:
        self.hub = Hub()
        self.audit = audit
        self._settings = settings
        self._database = database
        self._followed: Counter[bytes] = Counter()
        self._some, self._none = asyncio.Event(), asyncio.Event()
        self._told: OrderedDict[UUID, Told] = OrderedDict()
        self._closings: set[asyncio.Task[None]] = set()

    def told(self, call_id: UUID) -> Told:
        """What of the call was sent already."""
        told = self._told.setdefault(call_id, Told())
        self._told.move_to_end(call_id)
        if len(self._told) > MOST_CALLS:
            self._told.popitem(last=False)
        return told

    @contextmanager
    def following(self, call_id: UUID) -> Generator[asyncio.Event]:
        """Within it the hub has what comes of a call; an event that is set whenever there is news."""
        self._followed[_key(call_id)] += 1
        self._none.clear()
        self._some.set()
        try:
            with self.hub.listening(call_id) as news:
                yield news
        finally:
            asyncio.get_running_loop().call_later(LINGER_SECONDS, self._leave, call_id)

    def _leave(self, call_id: UUID) -> None:
        key = _key(call_id)
        self._followed[key] -= 1
        if self._followed[key] == 0:
            del self._followed[key]
            self.hub.forget(call_id)
        if not self._followed:
            self._some.clear()
            self._none.set()

    def _follows(self, key: bytes | None) -> bool:
        return key in self._followed

    async def run(self) -> None:
        """Listen, while there is somebody to listen for, without end."""
        while True:
            await self._some.wait()
            # A new one each time: it begins some minutes back, not where the one before stopped hours ago.
            listener = PartialsListener(self._settings, self.hub, self._follows)
            try:
                await run_together(listener.run(), self._until_none())
            except Exception as error:  # noqa: BLE001 - whatever it is, it may not end the process
                log.error("replies.not-listening", kind=type(error).__name__)  # noqa: TRY400 - it may quote
                await asyncio.sleep(_RETRY_SECONDS)

    async def _until_none(self) -> None:
        await self._none.wait()

    def close(self, draft: AuditDraft) -> None:
        """Write how a disclosure ended, without making anybody wait; it waits in the outbox if it must."""
        task = asyncio.create_task(self._write(draft))
        self._closings.add(task)
        task.add_done_callback(self._closings.discard)

    async def _write(self, draft: AuditDraft) -> None:
        try:
            async with self._database.session() as session:
                await publish_audit(session, draft)
        except Unavailable:
            # Opened without closed means "outcome unknown".
            log.warning("disclosure.not-closed", call_id=str(draft.call_id))

    async def drain(self, seconds: float) -> None:
        """Wait for the entries under way, at most so long."""
        if self._closings:
            await asyncio.wait(self._closings, timeout=seconds)


def _key(call_id: UUID) -> bytes:
    """Of the records on Kafka that belong to a call."""
    return str(call_id).encode()
