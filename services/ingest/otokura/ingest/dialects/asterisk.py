"""Asterisk's chan_websocket: `WSS /v1/streams/asterisk`, and with the id of a call that was started before.

The API key is the password in `websocket_client.conf`. What Asterisk says of the call comes in the address
(`v(…)` of the dial string) or, with JSON messages, in channel variables `OTOKURA_…`; numbers only in those,
since addresses are logged on the way.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, WebSocket

from otokura.ingest.connections.lookup import Told
from otokura.ingest.connections.views import Dialect
from otokura.ingest.dependencies import IngestState
from otokura.ingest.dialects.asterisk_messages import MediaStart, parse_start
from otokura.ingest.dialects.call_fields import CallFields, call_for, parse_fields
from otokura.ingest.dialects.continuous import record
from otokura.ingest.dialects.websocket import Left, Socket, serving, vendor_of_handshake
from otokura.ingest.errors import MalformedMessage
from otokura.ingest.opening import open_live
from otokura.shared.errors import BadRequest
from otokura.shared.events import ChannelRole

router = APIRouter()
SUBPROTOCOL = "media"
_NOT_IN_ADDRESSES = frozenset({"api_key", "access_token", "caller", "callee"})


@router.websocket("/v1/streams/asterisk")
@router.websocket("/v1/streams/asterisk/{call_id}")
async def stream(websocket: WebSocket, state: IngestState, call_id: str | None = None) -> None:
    """Record one channel; its hangup ends the call."""
    async with serving(websocket, state, Dialect.ASTERISK) as socket:
        caller = await vendor_of_handshake(websocket, state)
        addressed = _addressed(websocket, call_id)
        await socket.accept(SUBPROTOCOL)
        async with socket.starting():
            start = await _start(socket)
        if start is None:
            return
        fields = parse_fields({**start.fields, **addressed})
        fmt = start.stream_format()
        found, _ = await call_for(state, caller, Dialect.ASTERISK, _told(start, fields), fields)
        async with open_live(state, caller, found, fmt) as live:
            await record(socket, live)


def _addressed(websocket: WebSocket, call_id: str | None) -> dict[str, Any]:
    """The fields in the address; checked at once, so that Asterisk hears of it from its own connection.

    Raises:
        BadRequest: a secret or a number stands there.
        Unprocessable: a field is not valid.
    """
    told: dict[str, Any] = dict(websocket.query_params)
    wrong = sorted(_NOT_IN_ADDRESSES & told.keys())
    if wrong:
        raise BadRequest(
            f"{', '.join(wrong)} must not be in the address, which is logged on its way. The key is the"
            " password of the connection; numbers go into channel variables."
        )
    if call_id is not None:
        told["call_id"] = call_id
    parse_fields(told)
    return told


async def _start(socket: Socket) -> MediaStart | None:
    message = await socket.receive()
    if isinstance(message, Left):
        return None
    if isinstance(message, bytes):
        raise MalformedMessage("Audio came before MEDIA_START.")
    return parse_start(message)


def _told(start: MediaStart, fields: CallFields) -> Told:
    return Told(
        external_id=fields.external_id or start.channel_id or start.channel,
        channels=[ChannelRole.MIXED],
        direction=fields.direction,
        caller=fields.caller,
        callee=fields.callee,
        agent_id=fields.agent_id,
        language=fields.language,
    )
