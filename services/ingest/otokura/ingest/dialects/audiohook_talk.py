"""Speaking AudioHook over a WebSocket: numbered messages both ways, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal

from starlette.websockets import WebSocketDisconnect, WebSocketState

from otokura.ingest.dialects.audiohook_messages import ClientMessage, Close, Exchange, ProtocolError, parse
from otokura.ingest.dialects.websocket import Left, Socket
from otokura.shared.errors import OtokuraError
from otokura.shared.websocket_server import room

CLOSE_SECONDS = 5.0
"""How long the client gets to close after it was asked to."""
_LONGEST_INFO = 500


class Talk:
    """One session.

    Args:
        socket: accepted.
        exchange: the numbers.
    """

    def __init__(self, socket: Socket, exchange: Exchange) -> None:
        self._socket = socket
        self._exchange = exchange
        self._turn = asyncio.Lock()
        self._closed = False
        """Whether `closed` was said: after it the server has no more to say."""

    def watch_room(self) -> Callable[[], bool]:
        """What tells from now on whether the client takes what is said: what can be left out waits for it."""
        return room(self._socket.websocket.scope)

    async def hear(self) -> ClientMessage | bytes | Left:
        """The client's next message; a cancelled wait loses nothing.

        Raises:
            ProtocolError: it is not one that may come now.
            TooLarge: it is larger than any may be.
        """
        message = await self._socket.receive()
        if not isinstance(message, str):
            return message
        parsed = parse(message)
        self._exchange.heard(parsed)
        return parsed

    async def say(self, kind: str, parameters: dict[str, Any] | None = None) -> int | None:
        """Say something; a client that has gone, or has been told `closed`, is not told.

        Returns:
            The number of the message; None: it was not said.
        """
        async with self._turn:
            websocket = self._socket.websocket
            if self._closed or websocket.application_state is not WebSocketState.CONNECTED:
                return None
            self._closed = kind == "closed"
            message = self._exchange.say(kind, parameters)
            try:
                await websocket.send_text(message)
            except WebSocketDisconnect:
                return None
            return self._exchange.said

    async def disconnect(self, reason: Literal["completed", "unauthorized", "error"], info: str) -> None:
        """Ask the client to close, and let it do so in the order of the protocol."""
        await self.say("disconnect", {"reason": reason, "info": info[:_LONGEST_INFO]})
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                while not await self._has_closed():
                    continue
        except TimeoutError:
            return

    async def _has_closed(self) -> bool:
        """Whether the client's next message was its last. What else it says now does not matter."""
        try:
            message = await self._socket.receive()
            if isinstance(message, Left):
                return True
            parsed = parse(message) if isinstance(message, str) else None
        except ProtocolError:
            return False
        except OtokuraError:
            return True
        if not isinstance(parsed, Close):
            return False
        self._exchange.answering(parsed)
        await self.say("closed")
        return True
