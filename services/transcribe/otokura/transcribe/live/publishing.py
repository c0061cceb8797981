"""Publishes what is understood of a call: the event and how far the text is, in one transaction."""

from __future__ import annotations

from uuid import UUID

from otokura.shared.database import Database
from otokura.shared.events import TranscriptPartial
from otokura.shared.live_text import seal_partial
from otokura.shared.outbox import publish
from otokura.transcribe.live import repository
from otokura.transcribe.live.opening import Opened
from otokura.transcribe.service import UNDETERMINED


class Publishing:
    """Sends partial transcripts by the outbox.

    What is final must not be said twice and differently: it is saved together with how far it reaches, under
    the epoch of this worker, so that another who takes the call goes on after it, and this one saves nothing
    any more. While the broker is away no audio comes either: the outbox does not grow.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._unsaved: dict[UUID, tuple[TranscriptPartial, list[int]]] = {}

    async def publish(self, opened: Opened) -> None:
        """Publishes the next revision, if there is anything new.

        Raises:
            LeaseLost: another worker has taken the call.
            Unavailable: the database cannot be reached; the same revision is saved the next time.
        """
        await self.flush(opened)
        call = opened.call
        partial = call.partial()
        if partial is None:
            return
        event = seal_partial(
            opened.dek, call.tenant_id, partial, language=call.language or UNDETERMINED, since=call.since
        )
        self._unsaved[call.call_id] = (event, call.through_ms)
        await self.flush(opened)

    async def flush(self, opened: Opened) -> None:
        """Saves what could not be saved before.

        Raises:
            LeaseLost, Unavailable: as `publish`.
        """
        call_id = opened.call.call_id
        if call_id not in self._unsaved:
            return
        event, through = self._unsaved[call_id]
        async with self._database.session() as session:
            await repository.save(session, call_id, event.epoch, event.revision, through)
            await publish(session, event)
        del self._unsaved[call_id]

    def forget(self, call_id: UUID) -> None:
        """The call is no more."""
        self._unsaved.pop(call_id, None)
