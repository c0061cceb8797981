"""Genesys AudioHook v2: `WSS /v1/streams/audiohook`.

Genesys connects with an API key of ours and signs the request with a client secret that the vendor registered
(`PUT /v1/connections/audiohook`). A conversation is a call: who is heard, the numbers and the language come
with it; purposes, notice and direction from the registration, or from a call that was started over HTTP with
the conversation's id as its external id.
"""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, WebSocket

from otokura.ingest.connections.views import Dialect
from otokura.ingest.dependencies import IngestState
from otokura.ingest.dialects.audiohook_calls import stream_format, told
from otokura.ingest.dialects.audiohook_handshake import Handshake, session_of, verified
from otokura.ingest.dialects.audiohook_messages import (
    NO_CONVERSATION,
    Close,
    Error,
    Exchange,
    Open,
    Ping,
    ProtocolError,
    choose,
)
from otokura.ingest.dialects.audiohook_recording import Recording
from otokura.ingest.dialects.audiohook_reply import reply_to
from otokura.ingest.dialects.audiohook_talk import Talk
from otokura.ingest.dialects.call_fields import CallFields, call_for
from otokura.ingest.dialects.websocket import Left, Socket, serving
from otokura.ingest.errors import CallClosed, MalformedMessage
from otokura.ingest.opening import open_live
from otokura.ingest.state import State
from otokura.shared.errors import OtokuraError, Unauthenticated

router = APIRouter()

REFUSAL_SECONDS = 0.5
"""From the handshake to the refusal of a bad signature, whatever is wrong with it."""


@router.websocket("/v1/streams/audiohook")
async def stream(websocket: WebSocket, state: IngestState) -> None:
    """Record a conversation. What is wrong is told in `disconnect`, and then by the close code."""
    async with serving(websocket, state, Dialect.AUDIOHOOK) as socket:
        await socket.accept()
        await Session(socket, state).run()


class Session:
    """One connection, from its handshake on.

    Args:
        socket: accepted.
        state: the process's connections.
    """

    def __init__(self, socket: Socket, state: State) -> None:
        self._socket = socket
        self._state = state
        self._talk = Talk(socket, Exchange(session_of(socket.websocket) or NO_CONVERSATION))

    async def run(self) -> None:
        """Record the conversation, or answer the probe.

        Raises:
            OtokuraError: what was wrong; the client has been told in its own way.
        """
        try:
            await self._run()
        except Unauthenticated as error:
            await self._talk.disconnect("unauthorized", error.detail)
            raise
        except ProtocolError as error:
            await self._talk.disconnect("error", str(error))
            raise MalformedMessage(str(error)) from None
        except CallClosed as error:
            await self._talk.disconnect("completed", error.detail)
            raise
        except OtokuraError as error:
            await self._talk.disconnect("error", f"{error.title}. {error.detail}")
            raise

    async def _run(self) -> None:
        handshake = await self._verified()
        async with self._socket.starting():
            opened = await self._opening()
        if opened is None:
            return
        if opened.parameters.organizationId != handshake.organization_id:
            raise Unauthenticated("The organization in open is not the one of the signed header.")
        if opened.parameters.conversationId == NO_CONVERSATION:
            await self._answer_probe(opened)
        else:
            await self._record(handshake, opened)

    async def _verified(self) -> Handshake:
        """Who connects; a refusal takes the same time whatever is wrong."""
        began = asyncio.get_running_loop().time()
        try:
            return await verified(self._socket.websocket, self._state)
        except Unauthenticated:
            await asyncio.sleep(began + REFUSAL_SECONDS - asyncio.get_running_loop().time())
            raise

    async def _opening(self) -> Open | None:
        """The client's `open`; None if it leaves, or closes, before.

        Raises:
            ProtocolError: something else comes first.
        """
        while True:
            message = await self._talk.hear()
            if isinstance(message, Open):
                return message
            if isinstance(message, Left):
                return None
            if isinstance(message, Close):
                await self._talk.say("closed")
                return None
            if not isinstance(message, Error):
                raise ProtocolError("The first message must be open.")

    async def _answer_probe(self, opened: Open) -> None:
        """Genesys tries out whether the service is there: it is, and no call is made of it."""
        offered = opened.parameters.media
        media = [choose(offered).model_dump()] if offered else []
        await self._talk.say("opened", {"media": media, "startPaused": False, **_languages(opened)})
        async with self._socket.starting():
            while not isinstance(message := await self._talk.hear(), Left):
                if isinstance(message, Close):
                    await self._talk.say("closed")
                    return
                if isinstance(message, Ping):
                    await self._talk.say("pong")

    async def _record(self, handshake: Handshake, opened: Open) -> None:
        media = choose(opened.parameters.media)
        caller = handshake.caller
        call_id, _ = await call_for(
            self._state, caller, Dialect.AUDIOHOOK, told(opened.parameters, media), CallFields()
        )
        async with open_live(self._state, caller, call_id, stream_format(media)) as live:
            reply = reply_to(self._state, handshake, self._talk, live, opened)
            recording = Recording(self._state, caller, self._talk, live, opened.position, reply)
            answer = {"media": [media.model_dump()], "startPaused": recording.starts_paused}
            await self._talk.say("opened", {**answer, **_languages(opened)})
            over = await recording.run()
        if not over:
            await self._talk.disconnect("completed", "The call has ended.")


def _languages(opened: Open) -> dict[str, list[str]]:
    """What `opened` says of languages, where it was asked: nothing is transcribed while it is spoken."""
    return {"supportedLanguages": []} if opened.parameters.supportedLanguages else {}
