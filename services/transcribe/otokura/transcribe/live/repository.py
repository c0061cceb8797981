"""Every query of live text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, func, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.shared.events import LiveChunk
from otokura.shared.keys import WrappedDek
from otokura.transcribe.errors import LeaseLost
from otokura.transcribe.live.call import Resumed
from otokura.transcribe.live.models import LiveProgress
from otokura.transcribe.models import CallKey

KEPT = timedelta(days=2)
"""Longer than any call lasts."""


async def key_of(session: AsyncSession, call_id: UUID) -> WrappedDek | None:
    """The call's wrapped key, when it has arrived."""
    key = await session.get(CallKey, call_id)
    return WrappedDek(key.kek_id, key.wrapped) if key else None


async def take(session: AsyncSession, chunk: LiveChunk) -> Resumed:
    """Takes a call from whoever has it: from here on they can save nothing."""
    row = {"call_id": chunk.call_id, "tenant_id": chunk.tenant_id, "epoch": 1, "revision": 0}
    statement = insert(LiveProgress).values(row | {"through_ms": [0] * len(chunk.roles)})
    taken = statement.on_conflict_do_update(
        index_elements=["call_id"], set_={"epoch": LiveProgress.epoch + 1, "at": func.now()}
    )
    await (await session.connection()).execute(taken)
    query = select(LiveProgress).where(col(LiveProgress.call_id) == chunk.call_id)
    progress = (await session.exec(query)).one()
    return Resumed(progress.epoch, progress.revision, tuple(progress.through_ms))


async def save(
    session: AsyncSession, call_id: UUID, epoch: int, revision: int, through_ms: Sequence[int]
) -> None:
    """Saves how far a call's text is.

    Raises:
        LeaseLost: another worker has taken the call.
    """
    statement = (
        update(LiveProgress)
        .where(col(LiveProgress.call_id) == call_id, col(LiveProgress.epoch) == epoch)
        .values(revision=revision, through_ms=list(through_ms), at=func.now())
        .returning(col(LiveProgress.call_id))
    )
    if (await session.exec(statement)).one_or_none() is None:
        raise LeaseLost("Another worker hears this call now.")


async def forget_old(session: AsyncSession) -> None:
    """Deletes the progress of calls that are long over."""
    await session.exec(delete(LiveProgress).where(col(LiveProgress.at) < func.now() - KEPT))
