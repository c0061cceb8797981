"""The one statement that accepts audio, and why it may refuse to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import BigInteger, Insert, Integer, Interval, String, bindparam, func, insert, or_, update
from sqlalchemy import select as sa_select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col, select

from otokura.ingest.errors import CallClosed, CallNotFound, Fenced, GateChanged
from otokura.ingest.models import Call, CallState, Origin, Piece
from otokura.ingest.repository import Claim, clock
from otokura.shared.manifest import Gap


@dataclass(frozen=True)
class NewPiece:
    """A piece about to be accepted: either an object that exists, or a gap's reason."""

    seq: int
    start_sample: int
    samples: int
    rate: int
    gate: int
    encoding: str
    object_name: str | None = None
    gap: str | None = None
    absent: tuple[Gap, ...] = ()
    drift: list[int] | None = None


async def accept(connection: AsyncConnection, claim: Claim, piece: NewPiece, lease: timedelta) -> None:
    """Accept a piece under the current epoch while the call is live. Repeating it changes nothing.

    One statement, so that a segment costs one round trip: the call's row moves on by compare-and-set, and the
    piece's row is written if it did.

    Raises:
        Fenced: a newer connection took over.
        CallClosed: the call ended.
        GateChanged: what may be recorded changed, and the writer has not heard of it.
    """
    if (await connection.execute(_ACCEPT, _accept_values(claim, piece, lease))).rowcount == 0:
        await _explain_refusal(connection, claim, piece)


def _accept_statement() -> Insert:
    """The compare-and-set: epoch, state, gate and place in the timeline are all as the writer believes."""
    advanced = (
        update(Call)
        .where(
            col(Call.id) == bindparam("call"),
            col(Call.epoch) == bindparam("epoch_"),
            col(Call.state) == CallState.LIVE.value,
            col(Call.gate) == bindparam("gate_"),
            col(Call.pieces) <= bindparam("seq_"),
            col(Call.samples) == bindparam("start"),
            or_(col(Call.sample_rate).is_(None), col(Call.sample_rate) == bindparam("rate")),
        )
        .values(
            pieces=bindparam("seq_", type_=Integer) + 1,
            samples=bindparam("start", type_=BigInteger) + bindparam("count", type_=BigInteger),
            sample_rate=bindparam("rate"),
            origin=Origin.LIVE.value,
            drift=func.coalesce(bindparam("drift_", type_=JSONB(none_as_null=True)), Call.drift),
            version=Call.version + 1,
            last_audio_at=clock(),
            lease_until=clock() + bindparam("lease", type_=Interval),
        )
        .returning(col(Call.id))
        .cte("advanced")
    )
    values = {
        "call_id": advanced.c.id,
        "seq": bindparam("seq_", type_=Integer),
        "epoch": bindparam("epoch_", type_=BigInteger),
        "start_sample": bindparam("start", type_=BigInteger),
        "samples": bindparam("count", type_=BigInteger),
        "object_name": bindparam("object", type_=String),
        "encoding": bindparam("coding", type_=String),
        "gap": bindparam("reason", type_=String),
        "absent": bindparam("lacking", type_=JSONB(none_as_null=True)),
    }
    return insert(Piece).from_select(list(values), select(*values.values()))


_ACCEPT = _accept_statement()


def _accept_values(claim: Claim, piece: NewPiece, lease: timedelta) -> dict[str, Any]:
    return {
        "call": claim.call_id,
        "epoch_": claim.epoch,
        "gate_": piece.gate,
        "seq_": piece.seq,
        "start": piece.start_sample,
        "count": piece.samples,
        "rate": piece.rate,
        "coding": piece.encoding,
        "object": piece.object_name,
        "reason": piece.gap,
        "lacking": [gap.model_dump(mode="json") for gap in piece.absent] or None,
        "drift_": piece.drift,
        "lease": lease,
    }


class Reached(NamedTuple):
    """How far a call's timeline is."""

    samples: int
    channels: int


async def reached(connection: AsyncConnection, call_id: UUID) -> Reached | None:
    """How far a call's timeline is; None if there is no such call."""
    query = sa_select(col(Call.samples), func.jsonb_array_length(col(Call.channels)))
    row = (await connection.execute(query.where(col(Call.id) == call_id))).one_or_none()
    return None if row is None else Reached(*row)


async def _explain_refusal(connection: AsyncConnection, claim: Claim, piece: NewPiece) -> None:
    """Return if this very piece was accepted before: the answer to its commit had been lost."""
    stored = select(Piece.epoch).where(col(Piece.call_id) == claim.call_id, col(Piece.seq) == piece.seq)
    if (await connection.execute(stored)).scalar() == claim.epoch:
        return
    query = select(Call.state, Call.epoch, Call.gate).where(col(Call.id) == claim.call_id)
    call = (await connection.execute(query)).one_or_none()
    if call is None:
        raise CallNotFound(claim.call_id)
    if call.state != CallState.LIVE:
        raise CallClosed(call.state)
    if call.epoch == claim.epoch and call.gate != piece.gate:
        raise GateChanged(call.gate)
    raise Fenced
