"""The raw stream: `WS /v1/calls/{id}/stream`. See `otokura.ingest.wire` for the messages."""

from __future__ import annotations

import asyncio
from uuid import UUID

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from otokura.ingest.dependencies import Caller, IngestState, Vendor
from otokura.ingest.errors import Fenced
from otokura.ingest.instruments import OPEN_STREAMS
from otokura.ingest.recorder import Recorder
from otokura.ingest.repository import lock, take
from otokura.ingest.service import check_stream
from otokura.ingest.state import State
from otokura.ingest.streams import OpenStream, Request
from otokura.ingest.wire import End, Progress, StreamFormat, parse_format, parse_message
from otokura.shared.errors import BadRequest, TooLarge

router = APIRouter()


@router.websocket("/v1/calls/{call_id}/stream")
async def stream(websocket: WebSocket, call_id: UUID, vendor: Vendor, state: IngestState) -> None:
    """Record a live call. An error is told, then closes with 4000 + its status (1011 if it is ours)."""
    wanted = parse_format(websocket.query_params)
    await websocket.accept()
    recorder = await open_recorder(state, vendor, call_id, wanted)
    with OPEN_STREAMS.track_inprogress(), state.streams.opened(call_id, recorder.epoch) as opened:
        await Conversation(websocket, recorder, opened, wanted, state).run()


async def open_recorder(state: State, vendor: Caller, call_id: UUID, wanted: StreamFormat) -> Recorder:
    """Take the call for this connection: an older one is fenced from here on.

    Raises:
        OtokuraError: why this call cannot be streamed so.
    """
    settings = await state.tenant_settings(vendor.tenant_id)
    async with state.database.session() as session:
        call = await lock(session, call_id, vendor.tenant_id)
        check_stream(call, wanted, settings)
        key = await state.keys.open(call)
        claim = await take(session, call, state.instance, state.settings.lease)
    return Recorder(state, call, claim, key, wanted.rate)


class Conversation:
    """One connection from its first message to its last."""

    def __init__(
        self, socket: WebSocket, recorder: Recorder, opened: OpenStream, wanted: StreamFormat, state: State
    ) -> None:
        self._socket = socket
        self._recorder = recorder
        self._opened = opened
        self._format = wanted
        self._settings = state.settings
        self._deadline: float | None = None

    async def run(self) -> None:
        """Record until the client ends, leaves, errs, or is fenced.

        Whole milliseconds that were held when the client left or erred are stored: they are good audio.
        """
        await self._tell(self._recorder.progress(ready=True))
        try:
            while await self._step():
                self._set_deadline()
        except (BadRequest, TooLarge):
            await self._recorder.flush()
            raise

    async def _step(self) -> bool:
        """One message, request or deadline; False when the conversation is over."""
        message = await self._opened.wait(self._socket.receive(), self._deadline)
        if message is None:
            return await self._interrupted()
        if message["type"] == "websocket.disconnect":
            await self._recorder.flush()
            return False
        if message.get("text") is not None:
            return await self._control(message["text"])
        await self._report(await self._recorder.write(self._decode(message["bytes"])))
        return True

    async def _interrupted(self) -> bool:
        """The process asks something, or held audio has waited long enough."""
        if self._opened.asked is Request.FINISH:
            return await self._finish()
        if self._opened.asked is Request.YIELD:
            raise Fenced
        await self._report(await self._recorder.flush())
        return True

    def _set_deadline(self) -> None:
        """Counted from the first audio that is held, so that a trickle is stored too."""
        if not self._recorder.holds_audio:
            self._deadline = None
        elif self._deadline is None:
            self._deadline = asyncio.get_running_loop().time() + self._settings.flush_seconds

    def _decode(self, data: bytes) -> bytes:
        if len(data) > self._settings.max_message_bytes:
            raise TooLarge(f"A message may have {self._settings.max_message_bytes} bytes; send smaller ones.")
        return self._format.decode(data)

    async def _control(self, text: str) -> bool:
        message = parse_message(text)
        if isinstance(message, End):
            return await self._finish()
        await self._recorder.gap(message.ms, message.reason)
        await self._report(True)
        return True

    async def _finish(self) -> bool:
        await self._recorder.flush(final=True)
        await self._tell(self._recorder.progress(final=True))
        if self._socket.application_state is WebSocketState.CONNECTED:
            await self._socket.close(1000)
        return False

    async def _report(self, stored: bool) -> None:
        if stored:
            self._deadline = None
            await self._tell(self._recorder.progress())

    async def _tell(self, progress: Progress) -> None:
        """A client that hung up is not told; what it sent before is still read and stored."""
        if self._socket.application_state is not WebSocketState.CONNECTED:
            return
        try:
            await self._socket.send_text(progress.model_dump_json())
        except WebSocketDisconnect:
            return
