"""What Asterisk's chan_websocket says first: `MEDIA_START`, as plain text or as JSON.

docs.asterisk.org/Configuration/Channel-Drivers/WebSocket, and `channels/chan_websocket.c`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from otokura.ingest.audio_format import Encoding, StreamFormat
from otokura.ingest.errors import MalformedMessage
from otokura.ingest.views import Identifier
from otokura.shared.errors import UnsupportedMedia

PREFIX = "OTOKURA_"
"""Of channel variables that carry the call's fields."""

FORMATS = {
    "ulaw": (Encoding.MULAW, 8000),
    "alaw": (Encoding.ALAW, 8000),
    "slin": (Encoding.PCM_S16LE, 8000),
    "slin12": (Encoding.PCM_S16LE, 12000),
    "slin16": (Encoding.PCM_S16LE, 16000),
    "slin24": (Encoding.PCM_S16LE, 24000),
    "slin32": (Encoding.PCM_S16LE, 32000),
    "slin44": (Encoding.PCM_S16LE, 44100),
    "slin48": (Encoding.PCM_S16LE, 48000),
    "slin96": (Encoding.PCM_S16LE, 96000),
    "slin192": (Encoding.PCM_S16LE, 192000),
}
"""Asterisk's codecs whose samples are kept as they come. Signed linear is in the order of Asterisk's machine:
little-endian on all that it is built for today."""


class MediaStart(BaseModel):
    """A channel begins to send."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)
    event: Literal["MEDIA_START"]
    channel: Identifier
    """The channel's name: unique while it lives."""
    channel_id: Identifier | None = None
    """Its unique id: since 20.18, 22.8 and 23.2."""
    format: str = Field(max_length=32)
    channel_variables: dict[str, Any] = Field(default_factory=dict[str, Any])

    @property
    def fields(self) -> dict[str, Any]:
        """The call's fields, from the variables `OTOKURA_…` of the channel."""
        return {
            name.removeprefix(PREFIX).lower(): value
            for name, value in self.channel_variables.items()
            if name.startswith(PREFIX)
        }

    def stream_format(self) -> StreamFormat:
        """Of the binary messages.

        Raises:
            UnsupportedMedia: a codec that is not kept as it comes.
        """
        if self.format not in FORMATS:
            raise UnsupportedMedia(
                f"This channel's codec is not taken. Dial with c(…), one of {', '.join(FORMATS)}."
            )
        encoding, rate = FORMATS[self.format]
        return StreamFormat(encoding, rate, 1)


def parse_start(text: str) -> MediaStart:
    """Read the first message.

    Raises:
        MalformedMessage: it is not `MEDIA_START`.
    """
    try:
        if text.startswith("{"):
            return MediaStart.model_validate_json(text)
        return MediaStart.model_validate(_plain(text))
    except ValidationError:
        raise MalformedMessage("The first message must be MEDIA_START with channel and format.") from None


def _plain(text: str) -> Mapping[str, str]:
    """The form `MEDIA_START name:value name:value`."""
    event, *pairs = text.split(" ")
    parts = (pair.partition(":") for pair in pairs)
    return {**{name: value for name, colon, value in parts if colon}, "event": event}
