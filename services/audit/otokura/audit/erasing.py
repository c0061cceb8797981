"""The log's part in an erasure: details of entries about the call go with their salts, the leaves stay.

A leaf holds a commitment to the entry, salted, so that without salt and detail it says nothing, and the tree
is what it was. What says that, when and by whom the call was erased or held stays, for it is the proof.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, case, func, literal, or_, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.audit.models import Entry
from otokura.shared.audit_entries import Action
from otokura.shared.erasing import Forgotten
from otokura.shared.events import ErasedKind, ErasureRequested
from otokura.shared.tombstones import Tombstone

SEQUENCING_LOCK = 0x6F746F6B_75726120
"""Advisory lock key: "otokura" and 32. Shared by who sequences, had alone by who erases."""
KEPT = (
    Action.ERASURE_ANNOUNCED,
    Action.ERASURE_REQUESTED,
    Action.ERASURE_WITHDRAWN,
    Action.ERASURE_BEGUN,
    Action.ERASURE_APPLIED,
    Action.ERASURE_FINAL,
    Action.HOLD_SET,
    Action.HOLD_LIFTED,
    Action.SHARD_OPENED,
    Action.DETAILS_REMOVED,
)
"""Actions whose entries outlive their call, and the time for which details are kept."""
ERASURE = "erasure"
RETENTION = "retention"
"""Why a detail went."""
_SENT = (Action.RECORDING_SEALED, Action.CALL_SETTLED)
_FEED = "feed/"


def bare(why: str) -> dict[str, Any]:
    """The columns of an entry whose detail goes now."""
    names_nobody = or_(col(Entry.reader).startswith(_FEED), col(Entry.action).in_(_SENT))
    return {
        "salt": None,
        "recorded": None,
        "reader": case((names_nobody, col(Entry.reader)), else_=None),
        "erased_at": func.clock_timestamp(),
        "erased_why": why,
    }


def reader_left(action: str, reader: str | None) -> str | None:
    """What of the reader stays without the detail: the id of a feed or of the vendor who sent the call."""
    names_nobody = action in _SENT or (reader is not None and reader.startswith(_FEED))
    return reader if names_nobody else None


class AuditPart:
    """See `otokura.shared.erasing.Part`. The log has no objects but leaves and hashes."""

    service = "audit"

    async def forget(self, session: AsyncSession, event: ErasureRequested) -> Forgotten:
        """Deletes the details; who read, too."""
        if event.kind is not ErasedKind.CALL:
            return Forgotten({}, [])
        # Nothing is sequenced meanwhile: what comes after finds the tombstone (`erased_before`).
        await session.exec(select(func.pg_advisory_xact_lock(SEQUENCING_LOCK)))
        gone = (
            update(Entry)
            .where(
                col(Entry.call_id) == event.call_id,
                or_(col(Entry.tenant_id) == event.tenant_id, col(Entry.tenant_id).is_(None)),
                col(Entry.action).not_in(KEPT),
                col(Entry.erased_at).is_(None),
            )
            .values(bare(ERASURE))
        )
        return Forgotten({"details": (await session.exec(gone)).rowcount}, [])

    def prefixes(self, stone: Tombstone) -> Sequence[tuple[str, str]]:
        """None: full bundles of leaves are under Object Lock, and harmless."""
        del stone
        return []


async def erased_before(session: AsyncSession, call_ids: set[UUID]) -> dict[UUID, datetime]:
    """Those of the calls that are erased, and when the details of their entries went.

    No others will be, before the session's transaction ends.
    """
    await session.exec(select(func.pg_advisory_xact_lock_shared(SEQUENCING_LOCK)))
    wanted = select(Tombstone.call_id, Tombstone.shredded_at).where(
        col(Tombstone.call_id) == any_(literal(list(call_ids), ARRAY(Uuid))),
        col(Tombstone.kind) == ErasedKind.CALL,
    )
    return dict((await session.exec(wanted)).all()) if call_ids else {}


def goes_with(erased_at: datetime | None, action: str, time: datetime) -> bool:
    """Whether an entry's detail goes with its call: what was written before that, and is no proof of it."""
    return erased_at is not None and action not in KEPT and time <= erased_at
