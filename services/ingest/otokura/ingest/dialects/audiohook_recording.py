"""An open AudioHook session: audio, pauses and discards onto the call's timeline."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from http import HTTPStatus

from otokura.ingest.dependencies import Caller
from otokura.ingest.dialects.audiohook_calls import RATE, change_language
from otokura.ingest.dialects.audiohook_disclosure import Outcome
from otokura.ingest.dialects.audiohook_messages import (
    ClientMessage,
    Close,
    Discarded,
    Error,
    ErrorParameters,
    Paused,
    Ping,
    Resumed,
    Update,
    samples,
)
from otokura.ingest.dialects.audiohook_reply import Reply
from otokura.ingest.dialects.audiohook_talk import Talk
from otokura.ingest.dialects.websocket import Left
from otokura.ingest.live import Live
from otokura.ingest.state import State
from otokura.shared.logs import get_logger
from otokura.shared.manifest import GapReason

log = get_logger(__name__)

BEHIND_SAMPLES = RATE
"""A client whose position is a second beyond the audio that came has lost the difference without a word."""


class Recording:
    """Records one session from `opened` to its end.

    Args:
        state: the process's connections.
        caller: the vendor's client.
        talk: with the client.
        live: the call's stream.
        position: where the session begins, as the client counts (seconds).
        reply: what goes back meanwhile.
    """

    def __init__(
        self, state: State, caller: Caller, talk: Talk, live: Live, position: Decimal, reply: Reply
    ) -> None:
        self._state = state
        self._caller = caller
        self._talk = talk
        self._live = live
        self._reply = reply
        self._base = position
        self._position = 0
        """Samples since then: recorded, or told as a gap."""
        self._pause: GapReason | None = None
        """Why the client sends no audio, while it does not."""
        self._stray = 0
        """Samples that came although it said so."""
        self._held_back = live.withheld is not None
        """Whether the client was asked to pause."""
        self._telling: set[asyncio.Task[None]] = set()
        self._over = False

    @property
    def starts_paused(self) -> bool:
        """Whether nothing may be recorded yet."""
        return self._held_back

    async def run(self) -> bool:
        """Record until the client closes or leaves, or the call is ended elsewhere.

        Returns:
            Whether it was the client who ended it; else it is still to be told.

        Raises:
            ProtocolError: the client broke the protocol.
            OtokuraError: why it cannot be recorded further.
        """
        self._live.on_gate = self._gate_changed
        self._reply.start()
        try:
            self._gate_changed()
            await self._live.run(self._talk.hear, self._handle)
            self._reply.stop(Outcome.COMPLETE)
        finally:
            self._reply.stop(Outcome.ABORTED)
            self._live.on_gate = None
            for task in self._telling:
                task.cancel()
            await asyncio.gather(*self._telling, return_exceptions=True)
        return self._over

    async def _handle(self, message: ClientMessage | bytes | Left) -> bool:
        if isinstance(message, bytes):
            await self._audio(message)
            return True
        if isinstance(message, Left):
            self._over = True
            self._reply.stop(Outcome.ABORTED)
            return False
        if isinstance(message, Close):
            await self._close(message)
            return False
        await self._control(message)
        if self._pause is None:
            await self._catch_up(message.position, BEHIND_SAMPLES, "lost")
        return True

    async def _audio(self, data: bytes) -> None:
        """Audio of a client that said it is paused is not recorded: its pause covers it."""
        self._live.format.check(data)
        count = len(data) // self._live.format.frame_bytes
        if self._pause is not None:
            self._stray += count
            return
        await self._live.frames(data)
        self._position += count

    async def _control(self, message: ClientMessage) -> None:
        match message:
            case Ping():
                await self._talk.say("pong")
            case Paused():
                self._pause = self._pause or self._live.withheld or "paused"
            case Resumed():
                reason, self._pause = self._pause or "paused", None
                stray, self._stray = self._stray, 0
                await self._gap(max(samples(message.parameters.discarded, RATE), stray), reason)
            case Discarded():
                await self._gap(samples(message.parameters.discarded, RATE), "discarded")
            case Update():
                code = message.parameters.language
                await change_language(self._state, self._caller, self._live.call_id, code)
                await self._talk.say("updated")
            case Error():
                self._complaint(message.parameters)
            case _:  # a second `open` says nothing new
                return

    def _complaint(self, parameters: ErrorParameters) -> None:
        log.warning("audiohook.error", call_id=str(self._live.call_id), code=parameters.code)
        if parameters.code == HTTPStatus.TOO_MANY_REQUESTS:
            self._reply.hold_off(parameters.retryAfter)

    async def _close(self, message: Close) -> None:
        """Genesys waits ten seconds for `closed`: what came is on its way then, and the end follows it."""
        self._over = True
        await self._catch_up(message.position, 1 if self._pause else BEHIND_SAMPLES, self._pause or "lost")
        await self._live.flush()
        self._reply.stop(Outcome.COMPLETE)
        await self._talk.say("closed")
        if message.parameters.reason == "end":
            await self._live.end()

    async def _catch_up(self, position: Decimal, least: int, reason: GapReason) -> None:
        """Follow the client's own clock where it is ahead of what came."""
        behind = samples(position - self._base, RATE) - self._position
        if behind >= least:
            await self._gap(behind, reason)

    async def _gap(self, count: int, reason: GapReason) -> None:
        if count:
            await self._live.gap(count, reason)
            self._position += count

    def _gate_changed(self) -> None:
        """Let the client stop sending, or go on, as what may be recorded changes."""
        task = asyncio.create_task(self._tell_gate())
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _tell_gate(self) -> None:
        held_back = self._live.withheld is not None
        if held_back != self._held_back:
            self._held_back = held_back
            await self._talk.say("pause" if held_back else "resume")
