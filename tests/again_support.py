"""Asking transcribe for recordings again, without access."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from otokura.shared.consumer import EventContext
from otokura.shared.database import Database
from otokura.shared.events import EventData, TranscriptionRequested
from otokura.shared.ids import uuid7
from otokura.transcribe.again import handlers
from otokura.transcribe.again.service import tell_progress


def request(**about: Any) -> TranscriptionRequested:
    """The event of a request for all recordings, or for those that are described."""
    values = {"request_id": uuid7(), "tenant_id": None, "requested_at": datetime.now(UTC)}
    return TranscriptionRequested(**{**values, **about})


def context_of(event: EventData) -> EventContext:
    """Where an event came from, for handlers called without a consumer."""
    return EventContext(uuid7(), "test", event.TYPE, datetime.now(UTC), event.TOPIC, 0, 0, 1)


async def ask(database: Database, **about: Any) -> UUID:
    """Has transcribe take a request; returns its id."""
    event = request(**about)
    async with database.session() as session:
        await handlers.transcription_requested(session, event, context_of(event))
    return event.request_id


async def tell(database: Database) -> None:
    """What a service's housekeeping does every few seconds."""
    async with database.session() as session:
        await tell_progress(session)
