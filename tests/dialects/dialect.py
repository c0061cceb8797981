"""What a dialect is to the contract suite: a phone system that speaks it, and the wire it speaks over.

Each dialect is one class in this folder, listed in `dialects.every.EVERY`; `tests/contract/dialects` runs
every test against each. A class makes the words; it decides nothing about what ingest should do with them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from ingest_service import Credentials, IngestService
from otokura.ingest.audio_format import Encoding, StreamFormat
from otokura.shared.ids import uuid7

PIECE_SECONDS = 0.02


@dataclass(frozen=True)
class Piece:
    """One message of audio.

    Attributes:
        channel: whose audio it is; None for all of them, interleaved.
        start: its place, in samples since the connection began.
        samples: how many of each channel that it carries.
        wire: the message.
    """

    channel: int | None
    start: int
    samples: int
    wire: str | bytes


class Wire(ABC):
    """A connection to ingest, as the phone system holds it."""

    @abstractmethod
    async def send(self, message: str | bytes) -> None:
        """Send one message."""

    @abstractmethod
    async def abort(self) -> None:
        """The network dies: no word of farewell."""

    @abstractmethod
    async def closed(self) -> int | None:
        """Wait until ingest has closed; with which code, where the wire has codes."""


class Dialect(ABC):
    """How one phone system sends a call."""

    name: ClassVar[str]
    encoding: ClassVar[Encoding] = Encoding.MULAW
    rate: ClassVar[int] = 8000
    roles: ClassVar[tuple[str, ...]] = ("customer", "agent")
    """Of the call's channels, in the order in which they are sealed."""
    placed: ClassVar[bool] = False
    """Whether each piece says where it belongs: then loss, repetition and disorder are seen."""
    names_calls: ClassVar[bool] = True
    """Whether it can name a call that was started over HTTP by our id; else by the phone system's alone."""

    @property
    def form(self) -> StreamFormat:
        """What its samples are."""
        return StreamFormat(self.encoding, self.rate, len(self.roles))

    def new_id(self) -> str:
        """An id of a call, as this phone system makes them."""
        return f"{self.name}-{uuid7()}"

    @abstractmethod
    async def open(
        self, ingest: IngestService, credentials: Credentials, external_id: str, **fields: Any
    ) -> Wire:
        """Connect and start the call `external_id`, so that audio may follow.

        Args:
            ingest: where.
            credentials: as whom.
            external_id: the phone system's id of the call; the same again goes on with the same call.
            fields: further fields of the call, as `POST /v1/calls` names them (`direction`, `agent_id`,
                `notice`, `purposes`, …), in the form in which the dialect carries them.
        """

    @abstractmethod
    def pieces(self, audio: list[bytes]) -> list[Piece]:
        """The messages that carry the audio, 20 ms each, as a good network delivers them.

        Args:
            audio: for each channel its samples, coded as the dialect codes them.
        """

    @abstractmethod
    async def end(self, wire: Wire) -> None:
        """Say that the call is over, and wait until ingest has closed."""

    def wrong(self) -> dict[str, tuple[str | bytes, int | None]]:
        """Messages that a begun stream may not have: what is wrong, the message, the close code."""
        return {}

    async def send(self, wire: Wire, audio: list[bytes]) -> None:
        """Send all of it in order."""
        for piece in self.pieces(audio):
            await wire.send(piece.wire)


def cut(samples: bytes, form: StreamFormat) -> list[tuple[int, bytes]]:
    """One channel's samples (or interleaved frames) in pieces of 20 ms, each with its place."""
    width = form.frame_bytes
    size = round(form.rate * PIECE_SECONDS) * width
    return [(start // width, samples[start : start + size]) for start in range(0, len(samples), size)]


def one_channel(form: StreamFormat) -> StreamFormat:
    """The format of a single channel of it."""
    return StreamFormat(form.encoding, form.rate, 1)


def as_text(fields: dict[str, Any]) -> dict[str, str]:
    """The call's fields where a dialect carries nothing but strings."""
    return {name: ",".join(value) if isinstance(value, list) else value for name, value in fields.items()}
