"""What the dialects over WebSocket share: who connects, limits on what they say, and how it ends.

A recorder sends nothing: some phone systems take any text for a command, or log it as an error. What went
wrong is told by the close code (4000 + status, 1011 if it is ours) and its reason, which they log.
"""

from __future__ import annotations

import asyncio
import binascii
from base64 import b64decode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from otokura.ingest.connections.views import Dialect
from otokura.ingest.dependencies import Caller, vendor_by_key
from otokura.ingest.dialects.call_fields import CallFields
from otokura.ingest.dialects.errors import StreamNotStarted
from otokura.ingest.instruments import OPEN_STREAMS
from otokura.ingest.state import State
from otokura.shared.authentication import Authenticator, require
from otokura.shared.errors import OtokuraError, TooLarge, Unauthenticated
from otokura.shared.events import Role
from otokura.shared.logs import get_logger
from otokura.shared.problems import close_code, problem_of, response_of

log = get_logger(__name__)

MAX_TEXT = 65_536
"""Characters of a text message: many times what any dialect needs."""
NORMAL = 1000
"""The close code of one that is done (RFC 6455 §7.4.1). A lost connection shows itself as any other."""
_REASON_BYTES = 123
_REALM = {"WWW-Authenticate": 'Basic realm="otokura", charset="UTF-8"'}


@dataclass(frozen=True)
class Left:
    """The other side is no longer there.

    Attributes:
        done: it said goodbye; else the connection broke.
    """

    done: bool


class Socket:
    """A WebSocket as a dialect reads it.

    Args:
        websocket: not accepted yet.
        state: the process's connections.
    """

    def __init__(self, websocket: WebSocket, state: State) -> None:
        self.websocket = websocket
        self._settings = state.settings

    async def accept(self, *subprotocols: str) -> None:
        """Accept, with the first of ours that the client offers."""
        offered = self.websocket.scope.get("subprotocols", [])
        await self.websocket.accept(next((name for name in offered if name in subprotocols), None))

    async def receive(self) -> str | bytes | Left:
        """The next message; a cancelled wait loses nothing.

        Raises:
            TooLarge: it is larger than any that the dialects have.
        """
        message = await self.websocket.receive()
        if message["type"] == "websocket.disconnect":
            return Left(message.get("code") == NORMAL)
        text: str | None = message.get("text")
        if text is not None:
            if len(text) > MAX_TEXT:
                raise TooLarge(f"A text message may have {MAX_TEXT} characters.")
            return text
        data: bytes = message["bytes"]
        if len(data) > self._settings.max_message_bytes:
            raise TooLarge(f"A message may have {self._settings.max_message_bytes} bytes; send smaller ones.")
        return data

    @asynccontextmanager
    async def starting(self) -> AsyncGenerator[None]:
        """Within it the client must say whose call it carries.

        Raises:
            StreamNotStarted: it did not in time.
        """
        seconds = self._settings.stream_start_seconds
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError:
            raise StreamNotStarted(seconds) from None

    async def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Say goodbye, if there is still somebody to hear it."""
        states = (self.websocket.application_state, self.websocket.client_state)
        if WebSocketState.DISCONNECTED in states:
            return
        try:
            await self.websocket.close(code, reason)
        except WebSocketDisconnect:
            return

    async def refuse(self, error: OtokuraError) -> None:
        """Close with what went wrong; before the socket is accepted that is an HTTP answer."""
        if self.websocket.application_state is WebSocketState.CONNECTING:
            await self.websocket.send_denial_response(response_of(error))
            return
        reason = str(problem_of(error)["title"]).encode()[:_REASON_BYTES].decode(errors="ignore")
        await self.close(close_code(error), reason)


@asynccontextmanager
async def serving(websocket: WebSocket, state: State, dialect: Dialect) -> AsyncGenerator[Socket]:
    """One connection of a dialect, counted while it is open, closed in the end whatever happens."""
    socket = Socket(websocket, state)
    try:
        with OPEN_STREAMS.labels(dialect.value).track_inprogress():
            yield socket
        await socket.close()
    except OtokuraError as error:
        log.warning("stream.closed", dialect=dialect.value, reason=error.code, error=error)
        await socket.refuse(error)


async def vendor_of_fields(socket: Socket, state: State, fields: CallFields) -> Caller:
    """The vendor by the credential that came inside the dialect's own messages.

    Raises:
        Unauthenticated: there is none, or it is not valid.
        Forbidden: it is not a vendor's.
    """
    if fields.api_key is not None:
        return await vendor_by_key(state, fields.api_key.get_secret_value())
    if fields.access_token is not None:
        return await _by_token(socket.websocket, fields.access_token.get_secret_value())
    raise Unauthenticated("Send the parameter api_key, or access_token.")


async def vendor_of_handshake(websocket: WebSocket, state: State) -> Caller:
    """The vendor by the handshake's header: the key as a password (RFC 7617), a token, or `X-API-Key`.

    Raises:
        Unauthenticated: there is none, or it is not valid.
        Forbidden: it is not a vendor's.
    """
    authorizations = websocket.headers.getlist("authorization")
    keys = websocket.headers.getlist("x-api-key")
    if len(authorizations) + len(keys) != 1:
        raise Unauthenticated("Send the API key once, as the password of the connection.", headers=_REALM)
    if keys:
        return await vendor_by_key(state, keys[0])
    scheme, _, credential = authorizations[0].partition(" ")
    if scheme.lower() == "bearer":
        return await _by_token(websocket, credential.strip())
    return await vendor_by_key(state, _password(scheme, credential.strip()))


def _password(scheme: str, credential: str) -> str:
    """The password of RFC 7617; the user's name does not matter."""
    try:
        if scheme.lower() == "basic":
            _, colon, password = b64decode(credential, validate=True).decode().partition(":")
            if colon:
                return password
    except (binascii.Error, UnicodeDecodeError):
        pass
    raise Unauthenticated("The Authorization header must read: Basic <user:key in base64>.", headers=_REALM)


async def _by_token(websocket: WebSocket, token: str) -> Caller:
    authenticator: Authenticator = websocket.app.state.authenticator
    principal = await require(Role.VENDOR)(await authenticator.by_token(token))
    if principal.tenant_id is None:
        raise Unauthenticated("This credential belongs to no tenant.")
    return Caller(principal.tenant_id, principal.subject)
