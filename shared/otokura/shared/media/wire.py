"""What the decoder process and its parent say to each other, over two pipes.

A message is a kind (one byte), a length (uint32, big-endian) and as many bytes. The parent sends `JOB`, then
answers every `READ` with `DATA`. The child says `READY` once it is confined, and then `READ` as it needs, one
`FORMAT`, `AUDIO` if the job asks for it, and at the end `DONE` or `FAILED`. Nothing that the child says is
trusted.
"""

from __future__ import annotations

import struct
from enum import IntEnum, StrEnum

HEADER = struct.Struct(">BI")
READ = struct.Struct(">QI")
"""A `READ`: offset and length of the bytes wanted."""
MAX_BYTES = 1024 * 1024
"""The longest message, and the longest read."""


class Message(IntEnum):
    """The kinds of message."""

    JOB = 1
    DATA = 2
    READY = 3
    READ = 4
    FORMAT = 5
    AUDIO = 6
    DONE = 7
    FAILED = 8


class Reason(StrEnum):
    """Why a file was not decoded."""

    UNKNOWN = "unknown"
    NO_AUDIO = "no-audio"
    SEVERAL_STREAMS = "several-streams"
    CODEC = "codec"
    CHANNELS = "channels"
    RATE = "rate"
    CHANGES = "changes"
    DAMAGED = "damaged"
    TRUNCATED = "truncated"
    TOO_LONG = "too-long"
    MEMORY = "memory"
