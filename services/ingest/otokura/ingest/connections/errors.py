"""What can go wrong with a connection."""

from __future__ import annotations

from typing import ClassVar

from otokura.shared.errors import Conflict, NotFound, Unprocessable


class ConnectionNotFound(NotFound):
    """The client registered nothing for this dialect."""

    code: ClassVar[str] = "connection-not-found"
    title: ClassVar[str] = "Nothing is registered"

    def __init__(self, dialect: str) -> None:
        super().__init__(
            f"Nothing is registered for {dialect}. Register it with PUT /v1/connections/{dialect}."
        )


class UnfitConnection(Unprocessable):
    """What was sent does not fit the dialect."""

    code: ClassVar[str] = "unfit-connection"
    title: ClassVar[str] = "The registration does not fit the dialect"


class NoSuchChannel(Unprocessable):
    """The call did not declare so many channels."""

    code: ClassVar[str] = "no-such-channel"
    title: ClassVar[str] = "No such channel"

    def __init__(self, channel: int, declared: int) -> None:
        super().__init__(
            f"The call declared {declared} channel(s), counted from 0: there is no channel {channel}."
        )


class AudioSocketOff(Conflict):
    """This Otokura listens for no AudioSocket."""

    code: ClassVar[str] = "audiosocket-off"
    title: ClassVar[str] = "AudioSocket is off"

    def __init__(self) -> None:
        super().__init__(
            "AudioSocket is off here: whoever runs ingest turns it on with OTOKURA_AUDIOSOCKET_PORT."
        )
