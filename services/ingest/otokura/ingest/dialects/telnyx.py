"""Telnyx media streaming over WebSocket: `WSS /v1/streams/telnyx`.

The API key comes as the `stream_auth_token` of the command that starts the stream: Telnyx sends it as a
header of the handshake and in its first message. A custom parameter `api_key` does as well.
"""

from __future__ import annotations

from fastapi import APIRouter, WebSocket

from otokura.ingest.connections.views import Dialect
from otokura.ingest.dependencies import Caller, IngestState, vendor_by_key
from otokura.ingest.dialects.call_fields import CallFields
from otokura.ingest.dialects.media_streams import record
from otokura.ingest.dialects.websocket import serving, vendor_of_fields

router = APIRouter()
TOKEN = "x-telnyx-streaming-auth-token"  # noqa: S105 - the name of a header


@router.websocket("/v1/streams/telnyx")
async def stream(websocket: WebSocket, state: IngestState) -> None:
    """Record a stream; what is wrong closes it with 4000 + the status and a reason."""
    async with serving(websocket, state, Dialect.TELNYX) as socket:
        by_header = websocket.headers.get(TOKEN)
        caller = None if by_header is None else await vendor_by_key(state, by_header)
        await socket.accept()

        async def identify(fields: CallFields, token: str | None) -> Caller:
            if caller is not None:
                return caller
            if token is not None:
                return await vendor_by_key(state, token)
            return await vendor_of_fields(socket, state, fields)

        await record(socket, state, Dialect.TELNYX, identify)
