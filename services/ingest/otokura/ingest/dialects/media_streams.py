"""Recording a media stream of Twilio or Telnyx: JSON messages, each with a piece of one track and its time.

Tracks are seen from the vendor: `inbound` is what the far end of the streamed leg says, `outbound` what it
hears. Channel 0 of the call is the inbound track: the customer, unless the vendor says otherwise, because the
leg that is streamed is usually the customer's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import get_args

from otokura.ingest.connections.lookup import Told
from otokura.ingest.connections.views import Dialect
from otokura.ingest.dependencies import Caller
from otokura.ingest.dialects.call_fields import CallFields, call_for, number, parse_fields
from otokura.ingest.dialects.media_stream_messages import (
    BIG_ENDIAN,
    Connected,
    Media,
    Start,
    Stop,
    Track,
    parse_message,
    stream_format,
)
from otokura.ingest.dialects.websocket import Left, Socket
from otokura.ingest.errors import MalformedMessage
from otokura.ingest.live import Live
from otokura.ingest.opening import open_live
from otokura.ingest.state import State
from otokura.shared.events import ChannelRole

Identify = Callable[[CallFields, str | None], Awaitable[Caller]]
"""Finds the vendor by the fields of the start message, or by the token of the first."""

BOTH: tuple[Track, ...] = get_args(Track)
_OTHER = {ChannelRole.CUSTOMER: ChannelRole.AGENT, ChannelRole.AGENT: ChannelRole.CUSTOMER}


async def record(socket: Socket, state: State, dialect: Dialect, identify: Identify) -> None:
    """Record one connection from its first message to its last.

    Raises:
        OtokuraError: why it cannot be recorded, or not further.
    """
    async with socket.starting():
        begun = await _begin(socket)
    if begun is None:
        return
    start, token = begun
    fields = parse_fields(start.parameters)
    caller = await identify(fields, token)
    tracks = start.tracks or _tracks(fields)
    fmt = stream_format(start.format, len(tracks))
    roles = _roles(tracks, fields)
    if fields.inbound_track is not None:
        fields = fields.model_copy(update={"channels": roles})
    call_id, declared = await call_for(state, caller, dialect, _told(start, roles, fields), fields)
    places = _places(tracks, roles, declared) if fields.call_id else dict(zip(tracks, range(2), strict=False))
    async with open_live(state, caller, call_id, fmt) as live:
        await _Recording(socket, live, places, swapped=start.format.encoding in BIG_ENDIAN).run()


async def _begin(socket: Socket) -> tuple[Start, str | None] | None:
    """The start message and the token that came before it; None if the client left instead."""
    token: str | None = None
    while True:
        message = parse_message(_text(await socket.receive()))
        if isinstance(message, Start):
            return message, token
        if isinstance(message, Connected):
            token = message.token
        elif isinstance(message, Stop):
            return None
        elif isinstance(message, Media):
            raise MalformedMessage("Audio came before the start message.")


def _text(message: str | bytes | Left) -> str:
    if isinstance(message, str):
        return message
    if isinstance(message, Left):
        return '{"event":"stop"}'
    raise MalformedMessage("A media stream has text messages, and no binary ones.")


def _tracks(fields: CallFields) -> list[Track]:
    """Telnyx does not say which tracks come."""
    asked = fields.stream_track or "both_tracks"
    return [track for track in BOTH if asked in (f"{track}_track", "both_tracks")]


def _roles(tracks: list[Track], fields: CallFields) -> list[ChannelRole]:
    inbound = ChannelRole(fields.inbound_track or "customer")
    return [inbound if track == "inbound" else _OTHER[inbound] for track in tracks]


def _told(start: Start, roles: list[ChannelRole], fields: CallFields) -> Told:
    return Told(
        external_id=fields.external_id or start.call,
        channels=roles,
        direction=fields.direction,
        caller=fields.caller or number(start.caller),
        callee=fields.callee or number(start.callee),
        agent_id=fields.agent_id,
        language=fields.language,
    )


def _places(tracks: list[Track], roles: list[ChannelRole], declared: list[ChannelRole]) -> dict[Track, int]:
    """For each track its channel in a call that was started before: the one of its role, else in order."""
    if sorted(roles) == sorted(declared):
        return {track: declared.index(role) for track, role in zip(tracks, roles, strict=True)}
    return {track: index for index, track in enumerate(tracks)}


class _Recording:
    """A stream that has begun."""

    def __init__(self, socket: Socket, live: Live, places: dict[Track, int], *, swapped: bool) -> None:
        self._socket = socket
        self._live = live
        self._places = places
        self._swapped = swapped
        self._rate = live.format.rate

    async def run(self) -> None:
        await self._live.run(self._socket.receive, self._handle)

    async def _handle(self, received: str | bytes | Left) -> bool:
        """One message; a client that left without `stop` may come back: its call stays."""
        if isinstance(received, Left):
            return False
        message = parse_message(_text(received))
        if isinstance(message, Media):
            await self._place(message)
        elif isinstance(message, Start):
            raise MalformedMessage("The stream has started already.")
        elif isinstance(message, Stop):
            await self._live.end()
            return False
        return True

    async def _place(self, media: Media) -> None:
        channel = self._places.get(media.track)
        if channel is None:
            raise MalformedMessage("Audio came of a track that the stream did not announce.")
        payload = swap(media.payload) if self._swapped else media.payload
        if payload:
            await self._live.place(channel, media.timestamp * self._rate // 1000, payload)


def swap(samples: bytes) -> bytes:
    """16-bit samples in the other byte order; an odd byte at the end stays, to be refused."""
    swapped = bytearray(samples)
    even = len(samples) // 2 * 2
    swapped[0:even:2], swapped[1:even:2] = samples[1:even:2], samples[0:even:2]
    return bytes(swapped)
