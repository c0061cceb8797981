"""The bytes of an opened read on their way out, counted, and the read closed however that ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from otokura.access.reads.closing import Outcome
from otokura.access.reads.counting import count_served
from otokura.access.reads.gate import OpenedRead, outcome_of
from otokura.shared import logs, metrics
from otokura.shared.errors import IntegrityError, Unauthenticated

log = logs.get_logger(__name__)

INTEGRITY_FAILURES = metrics.counter(
    "otokura_access_integrity_failures_total", "Stored objects or keys that were not what was stored."
)


class Revoked(Unauthenticated):
    """The permission ended while the read was under way."""


class Delivery(Response):
    """Sends the content of an opened read.

    Content-Length is always set, so that a client never takes a broken-off body for a whole one.

    Args:
        opened: the read; this closes it.
        chunks: the content; read ahead of by the caller for as long as it can still answer with a problem.
            This closes them.
        length: bytes that `chunks` gives in all.
        status: 200 or 206.
        headers: beside those of the read.
        head: send the headers only.
        patience: seconds after which a reader who takes nothing is cut off; None for chunks that hold nothing
            while they wait.
    """

    def __init__(
        self,
        opened: OpenedRead,
        chunks: AsyncGenerator[bytes],
        length: int,
        *,
        status: int = 200,
        headers: Mapping[str, str],
        head: bool = False,
        patience: float | None = None,
    ) -> None:
        self.status_code = status
        self.background = None
        self.media_type = None
        self.body = b""
        self._opened = opened
        self._chunks = chunks
        self._head = head
        self._patience = patience
        self.init_headers({**opened.headers, "Content-Length": str(length), **headers})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the response.

        The outcome `complete` means that the network took every byte. What was sent when the reader went
        away counts what the network took, of which the reader may have received less.
        """
        del scope
        meter = _Meter(send)
        outcome = Outcome.ABORTED
        gone = asyncio.create_task(wait_until_gone(receive))
        count_served(self._opened)
        try:
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            if await self._send_body(meter, gone):
                outcome = Outcome.COMPLETE
        except BaseException as error:
            outcome = failed(error, self._opened)
            raise
        finally:
            gone.cancel()
            self._opened.close(outcome, meter.sent)
            await self._chunks.aclose()

    async def _send_body(self, meter: _Meter, gone: asyncio.Task[None]) -> bool:
        if self._head:
            await meter.send(b"", last=True)
            return True
        async for chunk in self._chunks:
            if gone.done():
                return False
            try:
                async with asyncio.timeout(self._patience):
                    await meter.send(chunk)
            except TimeoutError:
                return False
        await meter.send(b"", last=True)
        return not gone.done()


class _Meter:
    """Counts the bytes of the body that were handed to the network."""

    __slots__ = ("_send", "sent")

    def __init__(self, send: Send) -> None:
        self._send = send
        self.sent = 0

    async def send(self, chunk: bytes, *, last: bool = False) -> None:
        await self._send({"type": "http.response.body", "body": chunk, "more_body": not last})
        self.sent += len(chunk)


async def wait_until_gone(receive: Receive) -> None:
    """Ends when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def failed(error: BaseException, opened: OpenedRead) -> Outcome:
    """The outcome of a read that an error ended; tampering is told loudly."""
    if isinstance(error, IntegrityError):
        INTEGRITY_FAILURES.inc()
        log.critical(
            "integrity failure", call_id=opened.manifest.call_id, entry_id=opened.entry_id, exc_info=error
        )
    return ended_by(error)


def ended_by(error: BaseException) -> Outcome:
    """The outcome of what an error ended while it was sent."""
    return Outcome.REVOKED if isinstance(error, Revoked) else outcome_of(error)


async def watched(opened: OpenedRead, chunks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """The chunks, for as long as the reader may have them: a long listening is asked for again and again.

    Chunks that take long to come may send empty ones meanwhile, so that it is asked then, too.

    Raises:
        Revoked: the permission has ended, or the call was erased.
    """
    loop = asyncio.get_running_loop()
    interval = opened.state.settings.recheck_seconds
    next_check = loop.time() + interval
    async with aclosing(chunks):
        try:
            async for chunk in chunks:
                if loop.time() >= next_check:
                    if not await opened.still_permitted():
                        raise Revoked("The permission for this read has ended.")
                    next_check = loop.time() + interval
                if chunk:
                    yield chunk
        except IntegrityError:
            # What is erased while somebody reads it is gone, and was not tampered with.
            if await opened.is_gone():
                raise Revoked("The call was erased.") from None
            raise
