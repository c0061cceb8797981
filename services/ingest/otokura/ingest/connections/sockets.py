"""AudioSocket's UUIDs: given out for one channel of one call, good while that call is live.

AudioSocket has neither TLS nor a credential: whoever knows the UUID is believed. So it is random, given out
once, kept as a hash, and useless from the call's end on.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import delete
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.ingest.connections.models import AudioSocket
from otokura.ingest.models import Call, CallState
from otokura.ingest.repository import clock, now

_PRUNE = 100


@dataclass(frozen=True)
class Leg:
    """What a UUID stands for."""

    call_id: UUID
    tenant_id: UUID
    client_id: UUID
    channel: int
    channels: int
    """Of the call."""


async def give_out(
    session: AsyncSession, call: Call, channel: int, longest: timedelta
) -> tuple[UUID, datetime]:
    """A new UUID for a channel of a live call.

    Args:
        session: the transaction.
        call: live, and locked.
        channel: counted from 0; it must be one of the call's.
        longest: how long a call may last.

    Returns:
        The UUID, shown this once, and when it ends at the latest.
    """
    name, moment = uuid4(), await now(session)
    until = call.started_at + longest
    session.add(
        AudioSocket(
            uuid_sha256=_hash(name),
            call_id=call.id,
            client_id=call.client_id,
            tenant_id=call.tenant_id,
            channel=channel,
            created_at=moment,
            expires_at=until,
        )
    )
    await session.flush()
    await _prune(session)
    return name, until


async def leg_of(session: AsyncSession, name: UUID) -> Leg | None:
    """The leg that a UUID stands for; None if it was never given out, or its call is over."""
    query = (
        select(AudioSocket, Call)
        .join(Call, col(Call.id) == col(AudioSocket.call_id))
        .where(
            col(AudioSocket.uuid_sha256) == _hash(name),
            col(AudioSocket.expires_at) > clock(),
            col(Call.state) == CallState.LIVE,
            col(Call.end_asked_at).is_(None),
        )
    )
    found = (await session.exec(query)).one_or_none()
    if found is None:
        return None
    socket, call = found
    return Leg(call.id, call.tenant_id, call.client_id, socket.channel, len(call.channels))


async def _prune(session: AsyncSession) -> None:
    """Forget some UUIDs of calls that are over."""
    over = (
        select(AudioSocket.uuid_sha256)
        .join(Call, col(Call.id) == col(AudioSocket.call_id))
        .where(col(Call.state) != CallState.LIVE)
        .limit(_PRUNE)
        .with_for_update(skip_locked=True, of=AudioSocket)
    )
    gone = list((await session.exec(over)).all())
    if gone:
        await session.exec(delete(AudioSocket).where(col(AudioSocket.uuid_sha256).in_(gone)))


def _hash(name: UUID) -> bytes:
    """122 random bits need no salt."""
    return hashlib.sha256(name.bytes).digest()
