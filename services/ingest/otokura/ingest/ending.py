"""The end of a call's audio: from here on no segment is accepted."""

from __future__ import annotations

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.ingest.models import Call
from otokura.ingest.repository import begin_sealing, now
from otokura.ingest.service import ended_event
from otokura.shared.outbox import publish


async def end(session: AsyncSession, call: Call) -> None:
    """Move a locked live call to `sealing` under a new epoch, and say so."""
    ended_at = await now(session)
    await begin_sealing(session, call, ended_at)
    await publish(session, ended_event(call, ended_at))
