"""A recording's audio on its way into an archive that is made while it is sent."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Protocol

from otokura.access.errors import Undecodable
from otokura.access.lifecycle.archive import Growing
from otokura.access.reads.content import Rendition
from otokura.access.reads.gate import OpenedRead
from otokura.shared.ranges import ByteRange


class Growable(Protocol):
    """An archive, or one of which every byte is signed."""

    def begin(self, name: str) -> Growing:
        """A member whose bytes come in pieces."""
        ...

    def take(self) -> bytes:
        """The bytes since the last time."""
        ...


async def add_rendition(
    archive: Growable,
    name: str,
    rendition: Rendition,
    opened: OpenedRead,
    missing: Callable[[str], None],
    hashed: Callable[[bytes], None] | None = None,
) -> AsyncGenerator[bytes]:
    """The archive's bytes while the member grows.

    A recording that cannot be decoded now, or only up to somewhere, spoils no archive: what there is of it is
    a member like any other, and the rest is told of.

    Args:
        archive: grows.
        name: of the member.
        rendition: what is in it.
        opened: the read.
        missing: is told why there is nothing of it, or not all.
        hashed: is told every piece.
    """
    try:
        begun = await rendition.begin(opened, ByteRange(0, rendition.size, rendition.size))
    except Undecodable:
        missing("undecodable")
        return
    member = archive.begin(name)
    try:
        async with aclosing(begun) as pieces:
            async for piece in pieces:
                member.write(piece)
                if hashed is not None:
                    hashed(piece)
                yield archive.take()
    except Undecodable:
        missing("cut-short")
    finally:
        member.end()
