"""How far a call's audio is, as its client is told."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel


class Progress(BaseModel):
    """How far the timeline is stored. Resume after the last accepted sample.

    `ready` comes first on every connection; `accepted` after each change, `final` after the last.
    """

    type: Literal["ready", "accepted"]
    accepted_ms: dict[str, int]
    """For each channel, how much survives any crash."""
    accepted_samples: int
    """The same, exactly, in samples per channel."""
    spooled_samples: int = 0
    """What follows it and lies encrypted on this instance's disk, because the store or the database is away.
    It is not accepted: it survives a restart of the instance, not the loss of its disk."""
    final: bool = False
