"""Every query that ingest makes about calls, but for the one that accepts audio (`accepting.py`).

Who may write audio is decided here and nowhere else: by the row's epoch and state, in the statement that
writes. Time is the database's clock, so that processes whose clocks differ agree about leases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, or_, update
from sqlalchemy import select as sa_select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.ingest.errors import CallClosed, CallNotFound, Fenced
from otokura.ingest.models import Call, CallState, Origin, Piece
from otokura.ingest.uploads.models import has_open_upload


@dataclass(frozen=True)
class Claim:
    """The right to write a call's audio, until someone takes a newer epoch."""

    call_id: UUID
    epoch: int


class Unsettled(NamedTuple):
    """How many calls are in a state that is not final, and how long the stillest has been still."""

    state: str
    calls: int
    age: timedelta


def clock() -> ColumnElement[Any]:
    """The database's clock, as part of a statement."""
    return func.clock_timestamp()


async def now(session: AsyncSession) -> datetime:
    """The database's clock."""
    moment: datetime = (await session.exec(select(func.clock_timestamp()))).one()
    return moment


async def find(session: AsyncSession, call_id: UUID, tenant_id: UUID) -> Call:
    """A call of the tenant.

    Raises:
        CallNotFound: there is none, or it is another tenant's.
    """
    query = select(Call).where(col(Call.id) == call_id, col(Call.tenant_id) == tenant_id)
    call = (await session.exec(query)).one_or_none()
    if call is None:
        raise CallNotFound(call_id)
    return call


async def lock(session: AsyncSession, call_id: UUID, tenant_id: UUID) -> Call:
    """The same, and nobody else changes it until the transaction ends."""
    query = select(Call).where(col(Call.id) == call_id, col(Call.tenant_id) == tenant_id).with_for_update()
    call = (await session.exec(query)).one_or_none()
    if call is None:
        raise CallNotFound(call_id)
    return call


async def lock_claimed(session: AsyncSession, claim: Claim, state: CallState) -> Call:
    """The call, locked, if the claim is still the newest and the call is in this state.

    Raises:
        Fenced: a newer epoch exists.
        CallClosed: the call moved on.
    """
    query = select(Call).where(col(Call.id) == claim.call_id).with_for_update()
    call = (await session.exec(query)).one_or_none()
    if call is None:
        raise CallNotFound(claim.call_id)
    if call.state != state:
        raise CallClosed(call.state)
    if call.epoch != claim.epoch:
        raise Fenced
    return call


async def take(session: AsyncSession, call: Call, owner: UUID, lease: timedelta) -> Claim:
    """Give a locked call to a new writer: whoever wrote before is fenced from here on."""
    call.epoch += 1
    call.version += 1
    call.owner = owner
    call.lease_until = await now(session) + lease
    call.gate_heard = call.gate
    await session.flush()
    return Claim(call.id, call.epoch)


async def renew(session: AsyncSession, claim: Claim, lease: timedelta) -> None:
    """Say that the claim's holder still works on the call.

    Raises:
        Fenced: it is not the holder any more.
    """
    statement = (
        update(Call)
        .where(col(Call.id) == claim.call_id, col(Call.epoch) == claim.epoch, col(Call.settled_at).is_(None))
        .values(lease_until=clock() + lease, last_audio_at=clock())
    )
    if (await session.exec(statement)).rowcount == 0:
        raise Fenced


async def give_up(connection: AsyncConnection, claim: Claim) -> None:
    """Say that nobody writes the call's audio now, unless somebody took it over."""
    await connection.execute(
        update(Call)
        .where(
            col(Call.id) == claim.call_id,
            col(Call.epoch) == claim.epoch,
            col(Call.state) == CallState.LIVE,
        )
        .values(owner=None, lease_until=None, gate_heard=Call.gate)
    )


async def calls_of(session: AsyncSession, client_id: UUID, external_id: str, limit: int) -> list[Call]:
    """The client's calls that its phone system calls so, the newest first."""
    query = (
        select(Call)
        .where(col(Call.client_id) == client_id, col(Call.external_id) == external_id)
        .order_by(col(Call.started_at).desc())
        .limit(limit)
    )
    return list((await session.exec(query)).all())


async def live_call_of(session: AsyncSession, client_id: UUID, external_id: str) -> Call | None:
    """The client's newest live call that its phone system calls so."""
    query = (
        select(Call)
        .where(
            col(Call.client_id) == client_id,
            col(Call.external_id) == external_id,
            col(Call.state) == CallState.LIVE,
            col(Call.end_asked_at).is_(None),
        )
        .order_by(col(Call.started_at).desc())
        .limit(1)
    )
    return (await session.exec(query)).one_or_none()


async def unsettled(connection: AsyncConnection) -> Sequence[Unsettled]:
    """How many calls have no final state, by state, and how long the stillest of them has been still."""
    age = func.max(clock() - col(Call.last_audio_at))
    query = sa_select(col(Call.state), func.count(), age).where(col(Call.settled_at).is_(None))
    rows = await connection.execute(query.group_by(Call.state))
    return [Unsettled(*row) for row in rows]


async def begin_sealing(session: AsyncSession, call: Call, ended_at: datetime) -> None:
    """Close a locked live call: no segment is accepted from here on."""
    call.state = CallState.SEALING
    call.epoch += 1
    call.version += 1
    call.owner = None
    call.lease_until = None
    call.ended_at = ended_at
    await session.flush()


async def next_idle(session: AsyncSession, idle: timedelta) -> Call | None:
    """A live call, locked, that nobody holds and that got no audio for so long."""
    query = (
        select(Call)
        .where(
            col(Call.state) == CallState.LIVE,
            col(Call.last_audio_at) < clock() - idle,
            or_(col(Call.lease_until).is_(None), col(Call.lease_until) < clock()),
            ~has_open_upload(),
        )
        .order_by(col(Call.last_audio_at))
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return (await session.exec(query)).one_or_none()


async def next_to_end(session: AsyncSession) -> Call | None:
    """A live call, locked, whose end was asked for and that nobody holds any more."""
    query = (
        select(Call)
        .where(
            col(Call.state) == CallState.LIVE,
            col(Call.end_asked_at).is_not(None),
            or_(col(Call.lease_until).is_(None), col(Call.lease_until) < clock()),
        )
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return (await session.exec(query)).one_or_none()


async def next_to_seal(session: AsyncSession) -> Call | None:
    """A streamed call, locked, that waits to be sealed, or whose sealer let its lease run out."""
    query = (
        select(Call)
        .where(
            col(Call.state) == CallState.SEALING,
            col(Call.origin).is_distinct_from(Origin.UPLOAD),
            or_(col(Call.lease_until).is_(None), col(Call.lease_until) < clock()),
        )
        .order_by(col(Call.last_audio_at))
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return (await session.exec(query)).one_or_none()


async def release(session: AsyncSession, claim: Claim, retry_after: timedelta, *, counts: bool) -> None:
    """Let another try to seal after a pause.

    Args:
        session: the transaction.
        claim: what is given back; nothing happens if it was taken over meanwhile.
        retry_after: how long everyone leaves the call alone.
        counts: whether this attempt is one of those that are allowed.
    """
    await session.exec(
        update(Call)
        .where(
            col(Call.id) == claim.call_id,
            col(Call.epoch) == claim.epoch,
            col(Call.state) == CallState.SEALING,
        )
        .values(
            owner=None,
            lease_until=clock() + retry_after,
            seal_attempts=Call.seal_attempts if counts else Call.seal_attempts - 1,
        )
    )


async def pieces(session: AsyncSession, call_id: UUID) -> list[Piece]:
    """The timeline in order. A four-hour call has 2,880 rows: they fit in memory, its audio need not."""
    query = select(Piece).where(col(Piece.call_id) == call_id).order_by(col(Piece.seq))
    return list((await session.exec(query)).all())


async def uncleaned(session: AsyncSession, limit: int) -> list[Call]:
    """Settled calls whose temporary objects may still lie in the store, the oldest first."""
    query = (
        select(Call)
        .where(col(Call.settled_at).is_not(None), col(Call.cleaned_at).is_(None))
        .order_by(col(Call.settled_at))
        .limit(limit)
    )
    return list((await session.exec(query)).all())


async def mark_cleaned(session: AsyncSession, call: Call) -> None:
    """The temporary objects are gone; the rows that named them go too, unless the call failed."""
    if call.state != CallState.FAILED:
        await session.exec(delete(Piece).where(col(Piece.call_id) == call.id))
    await session.exec(update(Call).where(col(Call.id) == call.id).values(cleaned_at=clock()))
