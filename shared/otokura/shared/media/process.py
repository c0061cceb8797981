"""The parent's side of the decoder process: started clean, waited for within a budget, always ended."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Self

from otokura.shared.errors import Unavailable, UnsupportedMedia
from otokura.shared.media.wire import HEADER, MAX_BYTES, Message

_KINDS = frozenset(Message)


def misbehaved() -> UnsupportedMedia:
    """The error for a child that says what the decoder never says: a file has taken it over."""
    return UnsupportedMedia("The file made the decoder misbehave, and is refused.")


class DecoderProcess:
    """One confined child.

    Args:
        process: the child.
        wall_seconds: how long to wait for its messages, in sum.
    """

    def __init__(self, process: Process, wall_seconds: float) -> None:
        if process.stdin is None or process.stdout is None:
            raise ValueError("the decoder needs its two pipes")
        self._process = process
        self._to, self._from = process.stdin, process.stdout
        self._left = wall_seconds
        self._ready = False

    @classmethod
    @asynccontextmanager
    async def started(cls, wall_seconds: float) -> AsyncGenerator[Self]:
        """A child for the length of the block; killed at its end.

        Raises:
            Unavailable: this machine cannot start it now.
        """
        # Nothing of our environment, which holds secrets; some Pythons start by LD_LIBRARY_PATH alone.
        kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-m", "otokura.shared.media.child"),
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,  # a hostile file may choose what is said there
                limit=2 * MAX_BYTES,
                env={**kept, "LC_ALL": "C.UTF-8"},
                cwd="/",
            )
        except OSError as error:
            raise Unavailable("The media decoder cannot be started; try again later.") from error
        try:
            yield cls(process, wall_seconds)
        finally:
            with suppress(ProcessLookupError):  # it has ended by itself
                process.kill()
            await process.communicate()

    async def send(self, kind: Message, payload: bytes) -> None:
        """Sends a message."""
        self._to.write(HEADER.pack(kind, len(payload)))
        self._to.write(payload)
        with suppress(ConnectionError):  # the child has ended; `receive` says how
            await self._to.drain()

    async def receive(self) -> tuple[Message, bytes]:
        """The child's next message, other than `READY`.

        Raises:
            UnsupportedMedia: the child ended without a last message, or the time is over.
            Unavailable: the child never became ready.
        """
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            async with asyncio.timeout(self._left):
                kind, length = HEADER.unpack(await self._from.readexactly(HEADER.size))
                if kind not in _KINDS or length > MAX_BYTES:
                    raise misbehaved()
                payload = await self._from.readexactly(length)
        except TimeoutError:
            raise UnsupportedMedia("The file takes more time to decode than a recording may.") from None
        except asyncio.IncompleteReadError:
            raise _ending(await self._process.wait(), ready=self._ready) from None
        self._left -= clock() - began
        if kind == Message.READY:
            self._ready = True
            return await self.receive()
        return Message(kind), payload


def _ending(status: int, *, ready: bool) -> UnsupportedMedia | Unavailable:
    if not ready:
        return Unavailable("The media decoder did not start on this machine.")
    if status == -signal.SIGXCPU:
        return UnsupportedMedia("The file takes more processor time to decode than a recording may.")
    return UnsupportedMedia("The file made the decoder fail: it is damaged, or takes too much memory.")
