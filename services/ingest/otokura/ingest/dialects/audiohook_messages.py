"""AudioHook's messages: what Genesys may say, what we say, and the numbers that both count.

Version 2 of the protocol, as Genesys' sample client and server speak it
(github.com/purecloudlabs/audiohook-reference-implementation). A client's message is
`{version:"2",id,type,seq,serverseq,position,parameters}`, ours `{version,id,type,seq,clientseq,parameters}`.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from otokura.shared.events import ChannelRole

LONGEST_TEXT = 65_535
"""Characters of a text message, by the protocol."""
NO_CONVERSATION = UUID(int=0)
"""The conversation of a probe: Genesys tries out whether the service is there."""
ROLES = {"external": ChannelRole.CUSTOMER, "internal": ChannelRole.AGENT}

_DURATION = re.compile(r"PT(\d{1,9}|\d{0,9}\.\d{1,20})S", re.ASCII)
"""Seconds, with as many digits after the point as a JavaScript number shows."""


class ProtocolError(Exception):
    """The client broke the protocol; the text is told to it and repeats nothing that it sent."""


def _duration(value: object) -> Decimal:
    """`PT1.5S`: seconds, never negative, no other unit."""
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        raise ValueError("must be a duration such as PT1.5S")
    return Decimal(value[2:-1])


Seconds = Annotated[Decimal, BeforeValidator(_duration)]
Number = Annotated[int, Field(strict=True, ge=0, le=2**53)]


class _Part(BaseModel):
    """Members that the protocol may gain later are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Media(_Part):
    """One way in which the client can send the audio."""

    type: Literal["audio"]
    format: Literal["PCMU", "L16"]
    channels: list[Literal["external", "internal"]] = Field(min_length=1, max_length=2)
    rate: Literal[8000]


class Participant(_Part):
    """The other party of the conversation. Its numbers are personal: never logged."""

    id: str = Field(max_length=64)
    ani: str = Field(max_length=512, repr=False)
    dnis: str = Field(max_length=512, repr=False)


class ContinuedSession(_Part):
    """An earlier session of the conversation that this one goes on with."""

    id: UUID
    serverseq: Number | None = None
    """The last of our messages that its client heard."""


class OpenParameters(_Part):
    """What is to be recorded, and the ways in which it can be sent."""

    organizationId: UUID  # noqa: N815 - the protocol's name
    conversationId: UUID  # noqa: N815
    participant: Participant
    media: list[dict[str, Any]] = Field(max_length=32)
    language: str | None = Field(default=None, max_length=35)
    supportedLanguages: bool = False  # noqa: N815
    continuedSessions: list[ContinuedSession] = Field(  # noqa: N815
        default_factory=list[ContinuedSession], max_length=1000
    )


class SpanParameters(_Part):
    """Audio that the client threw away: where it began, and how long it was."""

    start: Seconds
    discarded: Seconds


class CloseParameters(_Part):
    """Why the session ends."""

    reason: Literal["end", "error", "disconnect", "reconnect"]


class ErrorParameters(_Part):
    """What went wrong at the client."""

    code: int
    message: str = Field(repr=False)
    retryAfter: Seconds | None = None  # noqa: N815 - the protocol's name


class UpdateParameters(_Part):
    """The language that is spoken from now on."""

    language: str = Field(max_length=35)


class _Message(_Part):
    version: Literal["2"]
    id: UUID
    seq: Number
    serverseq: Number
    position: Seconds


class Open(_Message):
    """The first message."""

    type: Literal["open"]
    parameters: OpenParameters


class Close(_Message):
    """The last message."""

    type: Literal["close"]
    parameters: CloseParameters


class Discarded(_Message):
    """The client threw audio away."""

    type: Literal["discarded"]
    parameters: SpanParameters


class Resumed(_Message):
    """The client sends audio again, and says how much it did not send."""

    type: Literal["resumed"]
    parameters: SpanParameters


class Paused(_Message):
    """The client sends no audio from here on."""

    type: Literal["paused"]


class Ping(_Message):
    """The client asks whether we are there."""

    type: Literal["ping"]


class Error(_Message):
    """The client says what went wrong; it closes by itself where that is the end."""

    type: Literal["error"]
    parameters: ErrorParameters


class Update(_Message):
    """Another language."""

    type: Literal["update"]
    parameters: UpdateParameters


ClientMessage = Open | Close | Discarded | Resumed | Paused | Ping | Error | Update
_ANY = TypeAdapter[ClientMessage](Annotated[ClientMessage, Field(discriminator="type")])
_MEDIA = TypeAdapter[Media](Media)


def parse(text: str) -> ClientMessage:
    """Read a client's message.

    Raises:
        ProtocolError: it is too long, no JSON, or not one of the protocol's messages.
    """
    if len(text) > LONGEST_TEXT:
        raise ProtocolError(f"A text message may have {LONGEST_TEXT} characters.")
    try:
        return _ANY.validate_json(text)
    except ValidationError as error:
        raise ProtocolError(_in_words(error)) from None


def _in_words(error: ValidationError) -> str:
    """The first thing that is wrong, without what was sent."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    if first["type"] == "json_invalid":
        return "A text message must be JSON."
    if first["type"].startswith("union_tag"):
        return "The message is of no type that a client may send."
    places = [str(part) for part in first["loc"][1:] if isinstance(part, int) or part.isidentifier()]
    return f"The message is not well formed at {'.'.join(places)[:100] or 'its top'}."


def choose(offered: list[dict[str, Any]]) -> Media:
    """The best of the offered media: both channels before one, then µ-law before linear, then the first.

    Raises:
        ProtocolError: none of them can be recorded. One that is not known is passed over.
    """
    known: list[Media] = []
    for one in offered:
        try:
            known.append(_MEDIA.validate_python(one))
        except ValidationError:
            continue
    usable = [media for media in known if len(set(media.channels)) == len(media.channels)]
    if not usable:
        raise ProtocolError("None of the offered media can be recorded: offer PCMU or L16 at 8000 Hz.")
    return min(usable, key=lambda media: (-len(media.channels), media.format != "PCMU"))


def samples(duration: Decimal, rate: int) -> int:
    """A duration as the nearest whole number of samples."""
    return int((duration * rate).to_integral_value())


class Exchange:
    """The numbers of both sides, checked and counted.

    Args:
        session_id: of the handshake; every message names it.
    """

    def __init__(self, session_id: UUID) -> None:
        self._session_id = session_id
        self._seq = 0
        self._clientseq = 0

    @property
    def said(self) -> int:
        """The number of our last message."""
        return self._seq

    def heard(self, message: ClientMessage) -> None:
        """Check a client's numbers and count its message.

        Raises:
            ProtocolError: a message is missing or comes twice, or answers what was never said.
        """
        if message.seq != self._clientseq + 1:
            raise ProtocolError("Messages must be numbered 1, 2, 3 … in seq.")
        if message.serverseq > self._seq:
            raise ProtocolError("serverseq is beyond what the server has sent.")
        if message.id != self._session_id:
            raise ProtocolError("The id is not that of the session.")
        self.answering(message)

    def answering(self, message: ClientMessage) -> None:
        """Count a client's message without checking it: nothing more is expected of it but to go."""
        self._clientseq = message.seq

    def say(self, kind: str, parameters: dict[str, Any] | None = None) -> str:
        """Our next message."""
        self._seq += 1
        message = {
            "version": "2",
            "id": str(self._session_id),
            "type": kind,
            "seq": self._seq,
            "clientseq": self._clientseq,
            "parameters": parameters or {},
        }
        return json.dumps(message, ensure_ascii=False)
