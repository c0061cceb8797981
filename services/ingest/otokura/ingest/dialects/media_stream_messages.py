"""What Twilio and Telnyx say over their media streams: the same, under two sets of names.

Twilio: www.twilio.com/docs/voice/media-streams/websocket-messages. Numbers come as strings there.
Telnyx: developers.telnyx.com/api-reference/websockets/stream-call-media-over-websocket.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from otokura.ingest.audio_format import Encoding, StreamFormat
from otokura.ingest.errors import MalformedMessage
from otokura.ingest.views import Identifier
from otokura.shared.errors import UnsupportedMedia

MAX_NUMBER = 2**53
"""What JSON's numbers hold exactly (RFC 8259 §6)."""

Track = Literal["inbound", "outbound"]


def _either(one: str, other: str) -> AliasChoices:
    return AliasChoices(one, other)


def _without_suffix(value: object) -> object:
    """`inbound_track` is what both call the same track in their commands and key presses."""
    return value.removesuffix("_track") if isinstance(value, str) else value


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class MediaFormat(_Model):
    """Of the samples of one track."""

    encoding: str = Field(max_length=64)
    rate: int = Field(validation_alias=_either("sampleRate", "sample_rate"), ge=1, le=MAX_NUMBER)
    channels: int = Field(default=1, ge=1, le=MAX_NUMBER)


class Start(_Model):
    """A stream begins."""

    call: Identifier = Field(validation_alias=_either("callSid", "call_control_id"))
    """Of the leg that is streamed."""
    format: MediaFormat = Field(validation_alias=_either("mediaFormat", "media_format"))
    tracks: list[Annotated[Track, BeforeValidator(_without_suffix)]] | None = Field(
        default=None, min_length=1, max_length=2
    )
    parameters: dict[str, Any] = Field(
        default_factory=dict[str, Any], validation_alias=_either("customParameters", "custom_parameters")
    )
    caller: str | None = Field(default=None, validation_alias="from", max_length=64)
    callee: str | None = Field(default=None, validation_alias="to", max_length=64)


class _Media(_Model):
    track: Annotated[Track, BeforeValidator(_without_suffix)] = "inbound"
    timestamp: int = Field(ge=0, le=MAX_NUMBER)
    payload: str


class _Message(_Model):
    event: str = Field(max_length=64)
    start: Start | None = None
    media: _Media | None = None
    token: str | None = Field(
        default=None, validation_alias="x-telnyx-streaming-auth-token", max_length=4096, repr=False
    )


@dataclass(frozen=True, slots=True)
class Media:
    """A piece of one track: `timestamp` in milliseconds from the start of the stream."""

    track: Track
    timestamp: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Connected:
    """The first message, with Telnyx' authentication token if there is one."""

    token: str | None


@dataclass(frozen=True, slots=True)
class Stop:
    """Nothing more comes."""


@dataclass(frozen=True, slots=True)
class Other:
    """A message that does not matter to a recording: a key press, a mark, something new."""


def parse_message(text: str) -> Connected | Start | Media | Stop | Other:
    """Read one message of either vendor.

    Raises:
        MalformedMessage: it is not one.
    """
    try:
        message = _Message.model_validate_json(text)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"][:3])
        raise MalformedMessage(f"A message of the stream is wrong at {where or 'its beginning'}.") from None
    if message.event == "media":
        return _media(message.media)
    if message.event == "start":
        if message.start is None:
            raise MalformedMessage("A start message must have the member start.")
        return message.start
    if message.event == "connected":
        return Connected(message.token)
    return Stop() if message.event == "stop" else Other()


def _media(media: _Media | None) -> Media:
    if media is None:
        raise MalformedMessage("A media message must have the member media.")
    try:
        payload = b64decode(media.payload, validate=True)
    except (binascii.Error, ValueError):
        raise MalformedMessage("The payload of a media message must be base64.") from None
    return Media(media.track, media.timestamp, payload)


_FORMATS = {
    ("audio/x-mulaw", 8000): Encoding.MULAW,
    ("PCMU", 8000): Encoding.MULAW,
    ("PCMA", 8000): Encoding.ALAW,
    ("L16", 8000): Encoding.PCM_S16LE,
    ("L16", 16000): Encoding.PCM_S16LE,
}
BIG_ENDIAN = frozenset({"L16"})
"""Sent as in RTP, in network byte order (RFC 3551 §4.5.11)."""


def stream_format(told: MediaFormat, channels: int) -> StreamFormat:
    """The format of a stream with so many tracks.

    Raises:
        UnsupportedMedia: a codec that is not kept as it comes.
    """
    encoding = _FORMATS.get((told.encoding, told.rate))
    if encoding is None or told.channels != 1:
        raise UnsupportedMedia(
            "This stream's codec is not taken. Ask for PCMU or PCMA at 8000 Hz, or L16 at 8000 or 16000 Hz,"
            " one channel a track."
        )
    return StreamFormat(encoding, told.rate, channels)
