"""jambonz' `listen` verb: `WSS /v1/streams/jambonz`.

The API key is the password of the verb's `wsAuth`. The call's fields are the member `otokura` of its
metadata.
"""

from __future__ import annotations

from fastapi import APIRouter, WebSocket

from otokura.ingest.connections.lookup import Told
from otokura.ingest.connections.views import Dialect
from otokura.ingest.dependencies import IngestState
from otokura.ingest.dialects.call_fields import CallFields, call_for, number, parse_fields
from otokura.ingest.dialects.continuous import record
from otokura.ingest.dialects.jambonz_messages import CHANNELS, ListenStart, parse_start
from otokura.ingest.dialects.websocket import Left, Socket, serving, vendor_of_handshake
from otokura.ingest.errors import MalformedMessage
from otokura.ingest.opening import open_live

router = APIRouter()
SUBPROTOCOLS = ("audio.jambonz.org", "audio.drachtio.org")
"""The second is what its media server calls it where nobody configured another."""


@router.websocket("/v1/streams/jambonz")
async def stream(websocket: WebSocket, state: IngestState) -> None:
    """Record what is listened to; its end is the end of the call."""
    async with serving(websocket, state, Dialect.JAMBONZ) as socket:
        caller = await vendor_of_handshake(websocket, state)
        await socket.accept(*SUBPROTOCOLS)
        async with socket.starting():
            start = await _start(socket)
        if start is None:
            return
        fields = parse_fields(start.fields)
        fmt = start.stream_format()
        call_id, _ = await call_for(state, caller, Dialect.JAMBONZ, _told(start, fields), fields)
        async with open_live(state, caller, call_id, fmt) as live:
            await record(socket, live)


async def _start(socket: Socket) -> ListenStart | None:
    message = await socket.receive()
    if isinstance(message, Left):
        return None
    if isinstance(message, bytes):
        raise MalformedMessage("Audio came before the text that describes it.")
    return parse_start(message)


def _told(start: ListenStart, fields: CallFields) -> Told:
    return Told(
        external_id=fields.external_id or start.call,
        channels=CHANNELS[start.mix],
        direction=fields.direction or start.direction,
        caller=fields.caller or number(start.caller),
        callee=fields.callee or number(start.callee),
        agent_id=fields.agent_id,
        language=fields.language,
    )
