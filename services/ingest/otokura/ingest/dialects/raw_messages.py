"""The raw stream on the wire: what a client may ask for, and the messages both ways.

`WS /v1/calls/{id}/stream?encoding=pcm_s16le|mulaw|alaw&rate=8000|16000&channels=1|2`. Binary messages
carry interleaved samples, any number of whole frames each; text messages carry JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from otokura.ingest.audio_format import Encoding, StreamFormat
from otokura.ingest.errors import MalformedMessage
from otokura.shared.errors import BadRequest

RATES = (8000, 16000)


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


class Pause(BaseModel):
    """Client: record nothing of what comes now, until `resume`; it becomes a gap."""

    model_config = ConfigDict(extra="forbid")
    type: Literal["pause"]


class Resume(BaseModel):
    """Client: record again."""

    model_config = ConfigDict(extra="forbid")
    type: Literal["resume"]


Message = End | GapMessage | Pause | Resume
_CLIENT = TypeAdapter[Message](Annotated[Message, Field(discriminator="type")])


def parse_message(text: str) -> Message:
    """Read a client's text message.

    Raises:
        MalformedMessage: it is not one of those known.
    """
    try:
        return _CLIENT.validate_json(text)
    except ValidationError:
        raise MalformedMessage(
            'A text message must be {"type":"end"}, {"type":"pause"}, {"type":"resume"} or'
            ' {"type":"gap","ms":…,"reason":"lost|paused|discarded"}.'
        ) from None
