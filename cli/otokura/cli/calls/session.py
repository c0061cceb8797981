"""Recorded sessions of phone systems: what was sent during a call, and when, in whatever dialect.

JSON Lines. The first line says how to connect:

    {"dialect": …, "transport": "websocket", "path": …, "headers": {…}, "subprotocols": […]}
    {"dialect": …, "transport": "tcp"}

Each further line is a message with its time since the first, in milliseconds:

    {"at_ms": 0, "text": "…"}
    {"at_ms": 20, "binary": "<base64>"}
    {"at_ms": 20, "expect": {"type": "opened"}}

The last sends nothing: it waits for a JSON text with these members. `{api_key}`, `{basic}` (the key as a
password of RFC 7617), `{external_id}` and `{session_id}` in the first line and in texts stand for what a
replay fills in, so that a session holds no secret and each replay is a call of its own. In AudioSocket, where
a call is named by a UUID that ingest gives out, the first message's is replaced. `"signed": true` asks for
AudioHook's signature.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import uuid4

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, ValidationError


class SessionError(ValueError):
    """The file is no recorded session; the text says why."""


class Header(BaseModel):
    """How to connect."""

    model_config = ConfigDict(frozen=True)
    dialect: str
    transport: Literal["websocket", "tcp"]
    path: str = ""
    headers: dict[str, str] = Field(default_factory=dict[str, str])
    subprotocols: list[str] = Field(default_factory=list[str])
    signed: bool = False
    roles: list[str] = Field(default_factory=lambda: ["mixed"])
    """Over TCP: whose voice the call's channels carry."""


class Text(BaseModel):
    """A text message."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    at_ms: int = Field(ge=0)
    text: str


class Binary(BaseModel):
    """A binary message, or a piece of a TCP stream."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    at_ms: int = Field(ge=0)
    binary: Annotated[Base64Bytes, Field(repr=False)]


class Expect(BaseModel):
    """A JSON text that must come from ingest before the session goes on."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    at_ms: int = Field(ge=0)
    expect: dict[str, Any]


class _Line(BaseModel):
    line: Text | Binary | Expect


@dataclass(frozen=True)
class Filling:
    """What a replay puts in the places that a session keeps.

    Attributes:
        api_key: the vendor's key.
        external_id: the phone system's id of the call.
        client_secret: with which the handshake is signed, where the dialect does.
        session_id: of this one connection.
    """

    api_key: str = field(repr=False)
    external_id: str
    client_secret: bytes | None = field(default=None, repr=False)
    session_id: str = field(default_factory=lambda: str(uuid4()))

    def fill(self, text: str) -> str:
        """The text with everything in its place."""
        basic = b64encode(f"otokura:{self.api_key}".encode()).decode()
        places = {
            "{api_key}": self.api_key,
            "{basic}": basic,
            "{external_id}": self.external_id,
            "{session_id}": self.session_id,
        }
        for place, value in places.items():
            text = text.replace(place, value)
        return text


@dataclass(frozen=True)
class Session:
    """A recorded session.

    Attributes:
        path: its file.
        header: how to connect.
    """

    path: Path
    header: Header

    @classmethod
    def open(cls, path: Path) -> Session:
        """Look into a file.

        Raises:
            SessionError: it does not begin like one.
        """
        with path.open() as file:
            try:
                return cls(path, Header.model_validate_json(file.readline()))
            except (ValidationError, UnicodeDecodeError):
                raise SessionError(f"{path} does not begin with the line that says how to connect") from None

    def messages(self) -> Iterator[tuple[float, str | bytes | Expect]]:
        """Each message, or what is waited for, with its time in seconds.

        Raises:
            SessionError: a line is none.
        """
        with self.path.open() as file:
            next(file)
            for number, line in enumerate(file, 2):
                try:
                    message = _Line.model_validate({"line": json.loads(line)}).line
                except (ValidationError, ValueError):
                    raise SessionError(f"{self.path}: line {number} is no message") from None
                yield message.at_ms / 1000, _content(message)


def _content(message: Text | Binary | Expect) -> str | bytes | Expect:
    if isinstance(message, Text):
        return message.text
    return message.binary if isinstance(message, Binary) else message
