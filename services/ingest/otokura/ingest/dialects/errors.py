"""What can go wrong before a dialect's stream has begun."""

from __future__ import annotations

from typing import ClassVar

from otokura.shared.errors import OtokuraError


class StreamNotStarted(OtokuraError):  # noqa: N818 - named after what happened, as its siblings are
    """A connection did not say in time whose call it carries (RFC 9110 §15.5.9)."""

    status: ClassVar[int] = 408
    code: ClassVar[str] = "stream-not-started"
    title: ClassVar[str] = "The stream did not start"

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The stream said within {seconds:g} seconds nothing of whose call it carries.")
