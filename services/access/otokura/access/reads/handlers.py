"""Keeps the read model from events: late, repeated or out of order, the end is the same.

Of what is erased nothing comes back: each handler looks for its tombstone first, in its own transaction.
"""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.models import Table
from otokura.access.reads.handing_over import hand_over, is_handed_over, one_at_a_time
from otokura.access.reads.models import CallKeyRecord, CallRecord, TranscriptRecord, TranscriptVersion
from otokura.shared.consumer import EventContext, Subscription
from otokura.shared.errors import Poison
from otokura.shared.events import (
    CallEnded,
    CallEvent,
    CallSettled,
    CallStarted,
    ErasedKind,
    KeyWrapped,
    RecordingSealed,
    TranscriptCompleted,
    TranscriptFailed,
)
from otokura.shared.manifest import Manifest
from otokura.shared.tombstones import unless_erased
from otokura.shared.wrapped_keys import is_retired, table_of


def subscriptions() -> list[Subscription]:
    """What access's consumer listens to."""
    return [
        Subscription(CallStarted, call_started),
        Subscription(CallEnded, call_ended),
        Subscription(CallSettled, call_settled),
        Subscription(RecordingSealed, recording_sealed),
        Subscription(KeyWrapped, key_wrapped),
        Subscription(TranscriptCompleted, transcript_completed),
        Subscription(TranscriptFailed, transcript_failed),
    ]


@unless_erased()
async def call_started(session: AsyncSession, event: CallStarted, _context: EventContext) -> None:
    """What is known of a call from its beginning."""
    plain = event.model_dump(mode="json", include={"channels", "notice"})
    values = {
        **event.model_dump(include={"external_id", "agent_id", "purposes", "language", "started_at"}),
        **plain,
        "direction": event.direction.value,
        "personal": event.personal,
    }
    await _store(session, CallRecord, event, "started_version", values)


@unless_erased()
async def call_ended(session: AsyncSession, event: CallEnded, _context: EventContext) -> None:
    """The end of the audio."""
    await _store(session, CallRecord, event, "ended_version", {"ended_at": event.ended_at})


@unless_erased()
async def call_settled(session: AsyncSession, event: CallSettled, _context: EventContext) -> None:
    """The final state."""
    values = {"outcome": event.outcome, "failure": event.reason, "settled_at": event.settled_at}
    await _store(session, CallRecord, event, "settled_version", values)


@unless_erased(ErasedKind.RECORDING)
async def recording_sealed(session: AsyncSession, event: RecordingSealed, _context: EventContext) -> None:
    """The manifest, after its hash is checked: from here on it is trusted."""
    await one_at_a_time(session, event)
    try:
        manifest = Manifest.model_validate(event.manifest)
    except ValidationError as error:
        raise Poison("The manifest is not one that this version understands.") from error
    if manifest.sha256() != event.manifest_sha256:
        raise Poison("The manifest does not have the hash that its event says.")
    if (manifest.call_id, manifest.tenant_id) != (event.call_id, event.tenant_id):
        raise Poison("The manifest belongs to another call.")
    values = {
        "manifest": manifest.model_dump(mode="json"),
        "manifest_sha256": event.manifest_sha256,
        "sealed_at": event.sealed_at,
        "customer_key": event.customer_key.model_dump(mode="json") if event.customer_key else None,
    }
    await _store(session, CallRecord, event, "sealed_version", values)
    await hand_over(session, event)


@unless_erased()
async def key_wrapped(session: AsyncSession, event: KeyWrapped, _context: EventContext) -> None:
    """The call's wrapped key; a newer one is the same key under a newer KEK."""
    await one_at_a_time(session, event)
    if await is_retired(session, event.kek_id) or await is_handed_over(session, event):
        return
    values = {"kek_id": event.kek_id, "wrapped": event.wrapped, "commitment": event.commitment}
    await _store(session, CallKeyRecord, event, "version", values)


@unless_erased(ErasedKind.TRANSCRIPT)
async def transcript_completed(
    session: AsyncSession, event: TranscriptCompleted, _context: EventContext
) -> None:
    """Where the transcript lies. A version that comes late is kept, and does not take a newer one's place."""
    await one_at_a_time(session, event)
    about = event.model_dump(mode="json", exclude={"call_id", "tenant_id"})
    values = {"event": about, "completed_at": event.completed_at}
    await _store(session, TranscriptRecord, event, "version", values)
    kept = event.model_dump(include={"call_id", "version", "tenant_id", "request_id", "completed_at"})
    await session.exec(insert(TranscriptVersion).values({**kept, "event": about}).on_conflict_do_nothing())
    await hand_over(session, event)


@unless_erased(ErasedKind.TRANSCRIPT)
async def transcript_failed(session: AsyncSession, event: TranscriptFailed, _context: EventContext) -> None:
    """Why there is no transcript; one that exists already stays."""
    await one_at_a_time(session, event)
    await _store(session, TranscriptRecord, event, "failed_version", {"failure": event.reason})
    await hand_over(session, event)


async def _store(
    session: AsyncSession, table: type[Table], event: CallEvent, version: str, values: dict[str, Any]
) -> None:
    """Writes an event's own columns, unless what is there is as new.

    Raises:
        Poison: the call is known as another tenant's.
    """
    identity = {"call_id": event.call_id, "tenant_id": event.tenant_id}
    columns = table_of(table).c
    statement = insert(table).values(**identity, **{version: event.version}, **values)
    changed = {name: statement.excluded[name] for name in (version, *values)}
    newer = (columns.tenant_id == event.tenant_id) & (columns[version] < event.version)
    upsert = statement.on_conflict_do_update(index_elements=["call_id"], set_=changed, where=newer)
    connection = await session.connection()
    stored = await connection.scalar(upsert.returning(columns.call_id))
    if stored is None:
        owner = await connection.scalar(select(columns.tenant_id).where(columns.call_id == event.call_id))
        if owner != event.tenant_id:
            raise Poison("The call belongs to another tenant.")
