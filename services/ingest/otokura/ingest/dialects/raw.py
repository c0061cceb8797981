"""The raw stream: `WS /v1/calls/{id}/stream`. See `raw_messages` for the messages."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from uuid import UUID

from fastapi import APIRouter, WebSocket
from starlette.types import Message
from starlette.websockets import WebSocketDisconnect, WebSocketState

from otokura.ingest.audio_format import StreamFormat
from otokura.ingest.dependencies import IngestState, Vendor
from otokura.ingest.dialects.raw_messages import End, GapMessage, parse_format, parse_message
from otokura.ingest.instruments import OPEN_STREAMS
from otokura.ingest.live import Live
from otokura.ingest.opening import open_live
from otokura.ingest.progress import Progress
from otokura.ingest.settings import Settings
from otokura.shared.errors import TooLarge
from otokura.shared.websocket_server import SIZES, batches

router = APIRouter()


@router.websocket("/v1/calls/{call_id}/stream")
async def stream(websocket: WebSocket, call_id: UUID, vendor: Vendor, state: IngestState) -> None:
    """Record a live call. An error is told, then closes with 4000 + its status (1011 if it is ours)."""
    wanted = parse_format(websocket.query_params)
    await websocket.accept()
    news = asyncio.Event()
    with OPEN_STREAMS.labels("raw").track_inprogress():
        async with open_live(state, vendor, call_id, wanted, replays=True, on_progress=news.set) as live:
            await Conversation(websocket, live, wanted, state.settings).run(news)


class Conversation:
    """One connection from its first message to its last."""

    def __init__(self, socket: WebSocket, live: Live, wanted: StreamFormat, settings: Settings) -> None:
        self._socket = socket
        self._live = live
        self._format = wanted
        self._largest, self._frame = settings.max_message_bytes, wanted.frame_bytes
        self._left = False
        catch_up = batches(socket.scope)
        if catch_up is not None:
            live.lets_wait(catch_up)

    async def run(self, news: asyncio.Event) -> None:
        """Record until the client ends, leaves, errs, or is fenced."""
        await self._tell(self._live.progress(ready=True))
        telling = asyncio.create_task(self._tell_news(news), name=f"progress-{self._live.call_id}")
        try:
            await self._live.run(self._socket.receive, self._handle)
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
        if not self._left:
            await self._tell(self._live.progress(final=True))
            if self._socket.application_state is WebSocketState.CONNECTED:
                await self._socket.close(1000)

    async def _handle(self, message: Message) -> bool:
        data = message.get("bytes")
        if data is not None:
            for piece in self._pieces(data, message.get(SIZES, [len(data)])):
                await self._live.frames(piece)
            return True
        if message["type"] == "websocket.disconnect":
            self._left = True
            return False
        return await self._control(message["text"])

    def _pieces(self, data: bytes, sizes: list[int]) -> Iterator[bytes]:
        """A batch at once, if all its messages are good; else one by one, as far as they are."""
        if all(0 < size <= self._largest and size % self._frame == 0 for size in sizes):
            yield data
            return
        start = 0
        for size in sizes:
            if size > self._largest:
                raise TooLarge(f"A message may have {self._largest} bytes; send smaller ones.")
            yield data[start : start + size]
            start += size

    async def _control(self, text: str) -> bool:
        message = parse_message(text)
        if isinstance(message, End):
            await self._live.finish()
            return False
        if isinstance(message, GapMessage):
            await self._live.gap(message.ms * self._format.rate // 1000, message.reason)
        else:
            self._live.withhold("paused" if message.type == "pause" else None)
        return True

    async def _tell_news(self, news: asyncio.Event) -> None:
        """A client that reads slowly is told less often; it holds nothing else up."""
        while True:
            await news.wait()
            news.clear()
            await self._tell(self._live.progress())

    async def _tell(self, progress: Progress) -> None:
        """A client that hung up is not told; what it sent before is still read and stored."""
        if self._socket.application_state is not WebSocketState.CONNECTED:
            return
        try:
            await self._socket.send_text(progress.model_dump_json())
        except WebSocketDisconnect:
            return
