"""The route that gives out AudioSocket's UUIDs."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from fastapi import APIRouter, Response, status
from pydantic import BaseModel, ConfigDict, Field

from otokura.ingest.connections.errors import AudioSocketOff, NoSuchChannel
from otokura.ingest.connections.sockets import give_out
from otokura.ingest.dependencies import IngestState, Vendor
from otokura.ingest.repository import lock
from otokura.ingest.service import check_live
from otokura.shared import errors
from otokura.shared.idempotency import Created, Idempotency
from otokura.shared.problems import responses

router = APIRouter(
    prefix="/v1/calls",
    tags=["connections"],
    responses=responses(errors.Unauthenticated, errors.Forbidden, errors.Unavailable),
)


class AudioSocketInput(BaseModel):
    """Which channel a socket will carry."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"channel": 0}]})
    channel: int = Field(default=0, ge=0, le=1)
    """Counted from 0, in the order in which the call declared its channels."""


class AudioSocketView(BaseModel):
    """Where Asterisk connects to, and with which UUID. The UUID is a secret: whoever knows it is believed."""

    uuid: UUID | None
    """Shown once: None where a repeated request is answered again. Ask anew for another."""
    address: str
    """Host and port, as `AudioSocket()` and `Dial(AudioSocket/…)` take it."""
    channel: int
    expires_at: datetime
    """At the latest; it is useless as soon as the call has ended."""


@router.post(
    "/{call_id}/audiosocket",
    status_code=status.HTTP_201_CREATED,
    response_model=AudioSocketView,
    responses=responses(errors.BadRequest, errors.NotFound, errors.Conflict, errors.Unprocessable),
)
async def register_audiosocket(
    call_id: UUID, asked: AudioSocketInput, vendor: Vendor, state: IngestState, idempotency: Idempotency
) -> Response:
    """Give out a UUID with which Asterisk may send one channel of the call."""
    address = state.settings.audiosocket_reached_at
    if address is None:
        raise AudioSocketOff

    async def create() -> Created:
        call = await lock(session, call_id, vendor.tenant_id)
        check_live(call)
        if asked.channel >= len(call.channels):
            raise NoSuchChannel(asked.channel, len(call.channels))
        longest = timedelta(seconds=state.settings.max_call_seconds)
        name, until = await give_out(session, call, asked.channel, longest)
        shown = AudioSocketView(uuid=name, address=address, channel=asked.channel, expires_at=until)
        return Created(
            shown, headers={"Cache-Control": "no-store"}, replay=shown.model_copy(update={"uuid": None})
        )

    async with state.database.session() as session:
        return await idempotency.run(session, create)
