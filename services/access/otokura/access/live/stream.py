"""A call's live text as server-sent events (WHATWG HTML §9.2), for as long as its reader may have it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from otokura.access.reads.closing import Outcome
from otokura.access.reads.counting import count_served
from otokura.access.reads.gate import Opened, outcome_of
from otokura.access.reads.views import View
from otokura.shared import logs
from otokura.shared.events import TranscriptPartial
from otokura.shared.http_connections import at_shutdown
from otokura.shared.live_hub import BEGINNING, Hub, Position
from otokura.shared.live_text import Place, news_of, open_partial

log = logs.get_logger(__name__)

HEARTBEAT_SECONDS = 15.0
"""Something is sent so often, so that proxies keep the connection and a dead one is noticed."""
LONGEST_WAIT_SECONDS = 60.0
"""Whether the reader may go on is asked at least so often, whatever the settings say."""
_HEARTBEAT = b": heartbeat\n\n"
_RETRY = b"retry: 2000\n\n"
_NEVER = ("failed", "empty")


def position_of(last_event_id: str | None) -> Position:
    """Where a client that was cut off stands; the beginning when its id is none of ours."""
    epoch, _, revision = (last_event_id or "").partition(".")
    if epoch.isdecimal() and revision.isdecimal() and len(epoch) + len(revision) < 30:  # noqa: PLR2004 - two numbers
        return int(epoch), int(revision)
    return BEGINNING


def event(name: str, data: Mapping[str, Any], event_id: str | None = None) -> bytes:
    """One server-sent event; JSON has no line ends of its own."""
    head = f"id: {event_id}\n" if event_id else ""
    return f"{head}event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


class LiveText:
    """What one reader is sent.

    Args:
        opened: the read.
        hub: where text comes from.
        after: what the reader has already.
    """

    def __init__(self, opened: Opened, hub: Hub, after: Position) -> None:
        self.outcome = Outcome.ABORTED
        """How it ended, once `events` has."""
        self._opened = opened
        self._hub = hub
        self._after = after
        self._sent: set[Place] = set()
        self._call_id = opened.permit.request.call_id
        self._tenant_id = opened.permit.row["tenant_id"]

    async def events(self) -> AsyncIterator[bytes]:
        """Until the transcript takes its place, the permission ends, or there is nothing to wait for.

        Raises:
            IntegrityError: what was published was changed on the way.
            Unavailable: the database or the key provider is away.
        """
        yield _RETRY
        dek = await self._opened.unwrap()
        with self._hub.listening(self._call_id) as news:
            async for one in self._until_over(dek, news):
                yield one

    async def _until_over(self, dek: bytes, news: asyncio.Event) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        interval = min(self._opened.state.settings.recheck_seconds, LONGEST_WAIT_SECONDS)
        checked, beat = float("-inf"), loop.time()
        while True:
            if loop.time() - checked >= interval:
                checked, last = loop.time(), await self._last_event()
                if last is not None:
                    yield last
                    return
            news.clear()
            text = self._text(dek)
            if text is not None:
                yield text
            elif loop.time() - beat < HEARTBEAT_SECONDS:
                await _wait(news, min(checked + interval, beat + HEARTBEAT_SECONDS) - loop.time())
                continue
            else:
                yield _HEARTBEAT
            beat = loop.time()

    async def _last_event(self) -> bytes | None:
        """What ends the stream; None: nothing yet."""
        row = await self._opened.look_again()
        if row is None:
            self.outcome = Outcome.REVOKED
            return event("ended", {"reason": "revoked"})
        self.outcome = Outcome.COMPLETE
        if row["transcript"] is not None:
            where = {"transcript": f"/v1/calls/{self._call_id}/transcript", "view": View.REDACTED.value}
            return event("completed", where)
        if row["transcript_failure"] is not None or row["state"] in _NEVER:
            return event("ended", {"reason": "no-transcript"})
        self.outcome = Outcome.ABORTED
        return None

    def _text(self, dek: bytes) -> bytes | None:
        """The next event, of everything that is new; a final turn is sent once."""
        fresh = self._hub.newer(self._call_id, self._tenant_id, self._after)
        if not fresh:
            return None
        turns = news_of([open_partial(dek, one) for one in fresh], self._sent)
        self._sent |= {place for place, turn in turns.items() if turn.final}
        newest = fresh[-1]
        self._after = (newest.epoch, newest.revision)
        shown = [turn.model_dump(mode="json") for turn in turns.values()]
        return event("partial", _about(newest) | {"turns": shown}, f"{newest.epoch}.{newest.revision}")


def _about(newest: TranscriptPartial) -> dict[str, Any]:
    return newest.model_dump(mode="json", include={"epoch", "revision", "final_through_ms", "language", "at"})


async def _wait(news: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(max(seconds, 0)):
            await news.wait()
    except TimeoutError:
        return


class LiveDelivery(Response):
    """Sends live text. This closes the read, however it ends."""

    media_type = "text/event-stream"

    def __init__(self, opened: Opened, text: LiveText) -> None:
        self.status_code = 200
        self.background = None
        self._opened = opened
        self._live = text
        self._bytes = 0
        # No body is set: its length would be taken for that of the response.
        # Proxies that buffer would keep the text until it is none any more.
        self.init_headers({**opened.headers, "Content-Type": self.media_type, "X-Accel-Buffering": "no"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends until the text ends, the reader goes away, or this process is told to stop."""
        outcome = Outcome.ABORTED
        count_served(self._opened)
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        pumping = asyncio.create_task(self._pump(send))
        gone = asyncio.create_task(_until_gone(receive))
        try:
            with at_shutdown(scope) as stopping:
                leaving = asyncio.create_task(stopping.wait())
                await asyncio.wait({pumping, gone, leaving}, return_when=asyncio.FIRST_COMPLETED)
            leaving.cancel()
            if pumping.done():
                await pumping
                outcome = self._live.outcome
            await _ended(pumping)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except BaseException as error:
            outcome = outcome_of(error)
            raise
        finally:
            gone.cancel()
            await _ended(pumping)
            self._opened.close(outcome, self._bytes)

    async def _pump(self, send: Send) -> None:
        async for chunk in self._live.events():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            self._bytes += len(chunk)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})
