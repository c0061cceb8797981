"""Every query that ingest makes about calls.

Who may write audio is decided here and nowhere else: by the row's epoch and state, in the statement that
writes. Time is the database's clock, so that processes whose clocks differ agree about leases.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Update, delete, func, or_, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.ingest.errors import CallClosed, CallNotFound, Fenced
from otokura.ingest.models import Call, CallState, Origin, Piece


@dataclass(frozen=True)
class Claim:
    """The right to write a call's audio, until someone takes a newer epoch."""

    call_id: UUID
    epoch: int


@dataclass(frozen=True)
class NewPiece:
    """A piece about to be accepted: either an object that exists, or a gap's reason."""

    seq: int
    start_sample: int
    samples: int
    rate: int
    object_name: str | None = None
    gap: str | None = None


def _clock() -> ColumnElement[Any]:
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
        .values(lease_until=_clock() + lease, last_audio_at=_clock())
    )
    if (await session.exec(statement)).rowcount == 0:
        raise Fenced


async def accept(session: AsyncSession, claim: Claim, piece: NewPiece, lease: timedelta) -> None:
    """Accept a piece under the current epoch while the call is live. Repeating it changes nothing.

    Raises:
        Fenced: a newer connection took over.
        CallClosed: the call ended.
    """
    if (await session.exec(_advance(claim, piece, lease))).rowcount == 0:
        await _explain_refusal(session, claim, piece)
        return
    session.add(
        Piece(
            call_id=claim.call_id,
            seq=piece.seq,
            epoch=claim.epoch,
            start_sample=piece.start_sample,
            samples=piece.samples,
            object_name=piece.object_name,
            gap=piece.gap,
        )
    )
    await session.flush()


def _advance(claim: Claim, piece: NewPiece, lease: timedelta) -> Update:
    """The compare-and-set: epoch, state and place in the timeline are all as the writer believes."""
    return (
        update(Call)
        .where(
            col(Call.id) == claim.call_id,
            col(Call.epoch) == claim.epoch,
            col(Call.state) == CallState.LIVE,
            col(Call.pieces) == piece.seq,
            or_(col(Call.sample_rate).is_(None), col(Call.sample_rate) == piece.rate),
        )
        .values(
            pieces=piece.seq + 1,
            samples=piece.start_sample + piece.samples,
            sample_rate=piece.rate,
            origin=Origin.LIVE,
            version=Call.version + 1,
            last_audio_at=_clock(),
            lease_until=_clock() + lease,
        )
    )


async def _explain_refusal(session: AsyncSession, claim: Claim, piece: NewPiece) -> None:
    """Return if this very piece was accepted before: the answer to its commit had been lost."""
    stored = await session.get(Piece, (claim.call_id, piece.seq))
    if stored is not None and stored.epoch == claim.epoch:
        return
    call = await session.get_one(Call, claim.call_id, populate_existing=True)
    if call.state != CallState.LIVE:
        raise CallClosed(call.state)
    raise Fenced


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
            col(Call.last_audio_at) < _clock() - idle,
            or_(col(Call.lease_until).is_(None), col(Call.lease_until) < _clock()),
        )
        .order_by(col(Call.last_audio_at))
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return (await session.exec(query)).one_or_none()


async def next_to_seal(session: AsyncSession) -> Call | None:
    """A call, locked, that waits to be sealed, or whose sealer let its lease run out."""
    query = (
        select(Call)
        .where(
            col(Call.state) == CallState.SEALING,
            or_(col(Call.lease_until).is_(None), col(Call.lease_until) < _clock()),
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
            lease_until=_clock() + retry_after,
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
    await session.exec(update(Call).where(col(Call.id) == call.id).values(cleaned_at=_clock()))
