"""Messages on a pipe: two big-endian lengths, a JSON head of the first, a body of bytes of the second."""

from __future__ import annotations

import asyncio
import json
import struct
from typing import Any, BinaryIO

_LENGTHS = struct.Struct(">II")
_LARGEST_HEAD = 64 << 20
_LARGEST_BODY = 64 << 20

Head = dict[str, Any]


def pack(head: Head, body: bytes | memoryview = b"") -> bytes:
    """A whole message."""
    text = json.dumps(head).encode()
    return b"".join((_LENGTHS.pack(len(text), len(body)), text, body))


def read(stream: BinaryIO) -> tuple[Head, bytes] | None:
    """The next message of a blocking stream; None when it ended.

    Raises:
        EOFError: the stream ended inside a message.
    """
    lengths = stream.read(_LENGTHS.size)
    if not lengths:
        return None
    head, body = _lengths(lengths)
    content = stream.read(head + body)
    if len(content) != head + body:
        raise EOFError("the pipe ended inside a message")
    return json.loads(content[:head]), content[head:]


async def read_async(stream: asyncio.StreamReader) -> tuple[Head, bytes]:
    """The next message of an asyncio stream.

    Raises:
        EOFError: the stream ended (`asyncio.IncompleteReadError`).
    """
    head, body = _lengths(await stream.readexactly(_LENGTHS.size))
    return json.loads(await stream.readexactly(head)), await stream.readexactly(body)


def _lengths(data: bytes) -> tuple[int, int]:
    if len(data) != _LENGTHS.size:
        raise EOFError("the pipe ended inside a message")
    head, body = _LENGTHS.unpack(data)
    if head > _LARGEST_HEAD or body > _LARGEST_BODY:
        raise ValueError("not a message: its lengths are absurd")
    return head, body
