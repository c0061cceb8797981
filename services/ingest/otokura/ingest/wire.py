"""The raw stream on the wire: what a client may ask for, and the messages both ways.

`WS /v1/calls/{id}/stream?encoding=pcm_s16le|mulaw|alaw&rate=8000|16000&channels=1|2`. Binary messages
carry interleaved samples, any number of whole frames each; text messages carry JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from otokura.ingest.errors import MalformedAudio, MalformedMessage
from otokura.shared.errors import BadRequest
from otokura.shared.media.g711 import decode_alaw, decode_mulaw

RATES = (8000, 16000)
SAMPLE_BYTES = 2
"""Stored samples are signed 16-bit little-endian, whatever came over the wire."""


class Encoding(StrEnum):
    """How one sample is coded on the wire (G.711 for the last two)."""

    PCM_S16LE = "pcm_s16le"
    MULAW = "mulaw"
    ALAW = "alaw"


@dataclass(frozen=True)
class StreamFormat:
    """What the client declared in the query of its connection."""

    encoding: Encoding
    rate: int
    channels: int

    @property
    def frame_bytes(self) -> int:
        """Bytes on the wire of one sample of every channel."""
        return self.channels * (SAMPLE_BYTES if self.encoding is Encoding.PCM_S16LE else 1)

    def decode(self, data: bytes) -> bytes:
        """Wire bytes to interleaved s16le; G.711 decoding is a table and loses nothing.

        Raises:
            MalformedAudio: the message ends inside a frame.
        """
        if not data or len(data) % self.frame_bytes:
            raise MalformedAudio(
                f"A message of {len(data)} bytes is not a whole number of {self.frame_bytes}-byte frames"
                f" ({self.channels} channel(s) of {self.encoding}). Send whole frames."
            )
        if self.encoding is Encoding.PCM_S16LE:
            return data
        decode = decode_mulaw if self.encoding is Encoding.MULAW else decode_alaw
        return decode(data).astype("<i2", copy=False).tobytes()


def parse_format(query: Mapping[str, str]) -> StreamFormat:
    """Read the query of the connection.

    Raises:
        BadRequest: a parameter is missing or not one of those offered.
    """
    return StreamFormat(
        encoding=Encoding(_choice(query, "encoding", tuple(Encoding))),
        rate=int(_choice(query, "rate", RATES)),
        channels=int(_choice(query, "channels", (1, 2))),
    )


def _choice(query: Mapping[str, str], name: str, offered: tuple[object, ...]) -> str:
    value = query.get(name, "")
    if value not in map(str, offered):
        raise BadRequest(f"The query parameter {name} must be one of {', '.join(map(str, offered))}.")
    return value


class Progress(BaseModel):
    """Server: how far the timeline is stored. Resume after the last accepted sample.

    `ready` comes first on every connection; `accepted` after each stored piece, `final` after the last.
    """

    type: Literal["ready", "accepted"]
    accepted_ms: dict[str, int]
    accepted_samples: int
    final: bool = False


class Failure(BaseModel):
    """Server: why the connection is about to be closed (an RFC 9457 problem)."""

    type: Literal["error"] = "error"
    problem: dict[str, Any]


class End(BaseModel):
    """Client: nothing more comes on this connection; store what there is."""

    model_config = ConfigDict(extra="forbid")
    type: Literal["end"]


class GapMessage(BaseModel):
    """Client: a span of the call that was not recorded, and why."""

    model_config = ConfigDict(extra="forbid")
    type: Literal["gap"]
    ms: int = Field(gt=0, le=24 * 3600 * 1000)
    reason: Literal["lost", "paused", "discarded"]


ClientMessage = Annotated[End | GapMessage, Field(discriminator="type")]
_CLIENT = TypeAdapter[End | GapMessage](ClientMessage)


def parse_message(text: str) -> End | GapMessage:
    """Read a client's text message.

    Raises:
        MalformedMessage: it is not one of the two known.
    """
    try:
        return _CLIENT.validate_json(text)
    except ValidationError:
        raise MalformedMessage(
            'A text message must be {"type":"end"} or {"type":"gap","ms":…,"reason":"lost|paused|discarded"}.'
        ) from None
