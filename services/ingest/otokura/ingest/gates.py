"""What may be recorded of a live call, and how its writer hears that this changed.

A gate is a number on the call's row that grows with each change (a pause, its end, a notice, an asked end).
Whoever changes it wakes every instance; the writer cuts its audio and says so; until it has, none of its
segments is accepted.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import func, update
from sqlalchemy import select as sa_select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.ingest.models import Call
from otokura.ingest.repository import Claim, now

WAKE_CHANNEL = "otokura_ingest_calls"
"""PostgreSQL's NOTIFY channel on which instances tell each other of calls to look at again."""


class CallNews(NamedTuple):
    """What others may change about a call while its audio comes."""

    state: str
    epoch: int
    gate: int
    paused: bool
    notice: dict[str, Any]
    end_asked_at: datetime | None


async def change_gate(session: AsyncSession, call: Call) -> None:
    """Note on a locked call that what may be recorded changed; its writer, wherever it is, is woken."""
    call.gate += 1
    call.version += 1
    if not await is_owned(session, call):
        call.gate_heard = call.gate
    await session.flush()
    await wake(session, call.id)


async def wake(session: AsyncSession, call_id: UUID) -> None:
    """Tell every instance, when this transaction commits, to look at the call again."""
    await session.exec(select(func.pg_notify(WAKE_CHANNEL, str(call_id))))


async def is_owned(session: AsyncSession, call: Call) -> bool:
    """Whether some process writes the call's audio now, by the lease."""
    return call.owner is not None and call.lease_until is not None and call.lease_until > await now(session)


async def hear_gate(connection: AsyncConnection, claim: Claim, gate: int) -> None:
    """Say that the writer has cut its audio where it heard of the gate."""
    await connection.execute(
        update(Call)
        .where(col(Call.id) == claim.call_id, col(Call.epoch) == claim.epoch, col(Call.gate_heard) < gate)
        .values(gate_heard=gate)
    )


async def current(connection: AsyncConnection, call_id: UUID) -> CallNews | None:
    """What may have changed about a call beside its audio."""
    query = sa_select(
        col(Call.state),
        col(Call.epoch),
        col(Call.gate),
        col(Call.paused),
        col(Call.notice),
        col(Call.end_asked_at),
    )
    row = (await connection.execute(query.where(col(Call.id) == call_id))).one_or_none()
    return None if row is None else CallNews(*row)
