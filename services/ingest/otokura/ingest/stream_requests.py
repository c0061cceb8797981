"""What the rest of the process may ask of an open stream."""

from __future__ import annotations

from enum import Enum


class Request(Enum):
    """Asked once: the first request stands."""

    FINISH = "finish"
    """The call ends: store what there is."""
    YIELD = "yield"
    """A newer connection takes the call."""
    FAIL = "fail"
    """The call is lost to this connection."""
    LEAVE = "leave"
    """Nothing came for too long."""
