"""What jambonz' `listen` says first: one JSON text with the call, the format, and the application's metadata.

docs.jambonz.org/verbs/verbs/listen; the text is made by `lib/tasks/listen.js` of jambonz-feature-server,
which puts the members of `metadata` beside its own.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from otokura.ingest.audio_format import RATES, Encoding, StreamFormat
from otokura.ingest.errors import MalformedMessage
from otokura.ingest.views import Identifier
from otokura.shared.errors import UnsupportedMedia
from otokura.shared.events import ChannelRole, Direction

CHANNELS = {
    "mono": [ChannelRole.CUSTOMER],
    "mixed": [ChannelRole.MIXED],
    "stereo": [ChannelRole.CUSTOMER, ChannelRole.AGENT],
}
"""Whose voice comes. `listen` hangs on the leg of whom jambonz answered or called, even inside `dial`: first
is what that leg says, second what it hears."""


class Metadata(BaseModel):
    """Of the `listen` verb, for us."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)
    otokura: dict[str, Any] = Field(default_factory=dict[str, Any])


class ListenStart(Metadata):
    """A call begins to be listened to."""

    call: Identifier = Field(validation_alias="callSid")
    rate: int = Field(validation_alias="sampleRate", ge=1, le=1_000_000)
    mix: Literal["mono", "mixed", "stereo"] = Field(default="mono", validation_alias="mixType")
    told_direction: str | None = Field(default=None, validation_alias="direction", max_length=32)
    parent: str | None = Field(default=None, validation_alias="parentCallSid", max_length=128)
    caller: str | None = Field(default=None, validation_alias="from", max_length=256)
    callee: str | None = Field(default=None, validation_alias="to", max_length=256)
    metadata: Metadata = Metadata()

    @property
    def fields(self) -> dict[str, Any]:
        """The call's fields: the metadata's member `otokura`."""
        return {**self.metadata.otokura, **self.otokura}

    @property
    def direction(self) -> Direction | None:
        """Of the call; inside `dial` jambonz tells that of the leg that it dials, which says nothing."""
        if self.parent is not None or self.told_direction not in tuple(Direction):
            return None
        return Direction(self.told_direction)

    def stream_format(self) -> StreamFormat:
        """Of the binary messages.

        Raises:
            UnsupportedMedia: a rate that is not taken.
        """
        if self.rate not in RATES:
            raise UnsupportedMedia("This sample rate is not taken. Listen at 8000, 16000, 24000 or 48000 Hz.")
        return StreamFormat(Encoding.PCM_S16LE, self.rate, len(CHANNELS[self.mix]))


def parse_start(text: str) -> ListenStart:
    """Read the first message.

    Raises:
        MalformedMessage: it is not one of `listen`.
    """
    try:
        return ListenStart.model_validate_json(text)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"][:2])
        raise MalformedMessage(
            f"The first message must be JSON with callSid, sampleRate and mixType; wrong: {where or 'JSON'}."
        ) from None
