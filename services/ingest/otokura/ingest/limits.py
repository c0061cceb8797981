"""What each vendor's client may use: calls at once, requests, bytes, and open streams.

No limit cuts a call that is being recorded. What such a call needs (its streams, its pauses, its notice, its
end) has a budget of its own, which polling and starting cannot use up; the bytes of its audio are counted,
and when they are used up only new calls and new uploads are refused. Calls at once are counted in the
database, over all instances and exactly; everything else in memory, by each instance for itself.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import ClassVar
from uuid import UUID
from weakref import WeakValueDictionary

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.types import Scope

from otokura.ingest.budgets import Budget, Standing
from otokura.ingest.models import Call, CallState
from otokura.ingest.settings import Settings
from otokura.shared.address import ResolvedAddress
from otokura.shared.clients import ClientLimits
from otokura.shared.directory import Directory
from otokura.shared.errors import TooManyRequests
from otokura.shared.metrics import counter
from otokura.shared.middleware import add_response_header

LIMITED = counter(
    "otokura_ingest_limited_total", "What was refused because of a limit, by limit.", ("limit",)
)

CALLS_LOCK = 0x63616C6C
"""First half of the advisory lock ("call") under which a client's live calls are counted and one is added."""
RETRY_SECONDS = 5
"""When to ask again for what is given back at no foreseeable time."""
STREAMS_PER_CALL = 2
"""The one that records, and the one that takes over from it."""
_MINUTE, _HOUR = 60, 3600
_MINUTES = _HOUR // _MINUTE
_OF_A_LIVE_CALL = frozenset({"notice", "pause", "resume", "end"})


class LimitReached(TooManyRequests):
    """A client has used what it may; `limit` says of what, `retry_after` when there is more, in seconds."""

    code: ClassVar[str] = "limit-reached"
    title: ClassVar[str] = "A limit is reached"

    def __init__(
        self, limit: str, detail: str, seconds: float, headers: dict[str, str] | None = None
    ) -> None:
        retry_after = math.ceil(seconds)
        told = {"Retry-After": str(retry_after), **(headers or {})}
        super().__init__(detail, headers=told, limit=limit, retry_after=retry_after)
        LIMITED.labels(limit).inc()


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one client may use."""

    calls: int
    requests: int
    """In a minute."""
    bytes: int
    """In an hour."""


class Limits:
    """The limits of all clients, in this process.

    Args:
        settings: for clients of whom the administrator set nothing.
        directory: knows what administrators set.
    """

    def __init__(self, settings: Settings, directory: Directory) -> None:
        self._settings = settings
        self._directory = directory
        self._requests, self._live, self._readers = Budget(_MINUTE), Budget(_MINUTE), Budget(_MINUTE)
        self._bytes = Budget(_HOUR)
        self._streams = Counter[UUID]()
        self._starting = WeakValueDictionary[UUID, asyncio.Lock]()

    async def of(self, client_id: UUID) -> Allowance:
        """What the client may use now."""
        client = await self._directory.client(client_id)
        limits = ClientLimits() if client is None else client.limits
        settings = self._settings
        return Allowance(
            calls=settings.client_calls if limits.calls is None else limits.calls,
            requests=limits.requests_per_minute or settings.client_requests_per_minute,
            bytes=limits.upload_bytes_per_hour or settings.client_upload_bytes_per_hour,
        )

    async def request(self, client_id: UUID, scope: Scope) -> None:
        """Count an HTTP request. Its answer tells how the client stands.

        Raises:
            LimitReached: too many in this minute.
        """
        live = scope["path"].rpartition("/")[2] in _OF_A_LIVE_CALL
        name, budget = ("live", self._live) if live else ("requests", self._requests)
        standing = budget.take(str(client_id), (await self.of(client_id)).requests)
        _check(name, standing, f"This client may send {standing.amount} requests a minute.")
        for header, value in standing.headers(name).items():
            add_response_header(scope, header, value)

    @asynccontextmanager
    async def turn(self, client_id: UUID) -> AsyncGenerator[None]:
        """Wait until no other call of the client is beginning in this process; to be entered first of all.

        They begin one after the other anyway (`admit_call`). Who waits there holds a connection to the
        database: a burst of one client's starts would take them all from the calls that are being recorded.
        """
        async with self._starting.setdefault(client_id, asyncio.Lock()):
            yield

    async def admit_call(self, session: AsyncSession, client_id: UUID) -> None:
        """Let one more call begin in this transaction; until it ends, no other of the client begins.

        Raises:
            LimitReached: as many calls as the client may have are live, or its bytes are used up.
        """
        await self.admit_bytes(client_id)
        allowed = (await self.of(client_id)).calls
        await session.exec(select(func.pg_advisory_xact_lock(CALLS_LOCK, func.hashtext(str(client_id)))))
        live = select(func.count()).where(col(Call.client_id) == client_id, col(Call.state) == CallState.LIVE)
        if (await session.exec(live)).one() >= allowed:
            detail = (
                f"This client may have {allowed} calls at once. End calls that are over, or have the"
                " administrator raise the limit."
            )
            raise LimitReached("calls", detail, RETRY_SECONDS)

    async def admit_bytes(self, client_id: UUID, wanted: int | None = None) -> None:
        """Whether so many bytes are left; all that there can be are enough for more than that.

        Args:
            client_id: whose.
            wanted: None, if nobody knows: then as many as come back in a minute.

        Raises:
            LimitReached: they are not.
        """
        allowed = (await self.of(client_id)).bytes
        wanted = max(1, allowed // _MINUTES) if wanted is None else wanted
        standing = self._bytes.look(str(client_id), allowed, wanted)
        _check("bytes", standing, f"This client may send {standing.amount} bytes of audio an hour.")

    async def meter(self, client_id: UUID) -> Callable[[int], None]:
        """What to tell how many bytes of audio have come from the client."""
        return partial(self._bytes.spend, str(client_id), (await self.of(client_id)).bytes)

    @asynccontextmanager
    async def stream(self, client_id: UUID) -> AsyncGenerator[Callable[[int], None]]:
        """Count a stream while it is open.

        Yields:
            What to tell how many bytes of audio have come.

        Raises:
            LimitReached: too many were opened in this minute, or are open.
        """
        allowed = await self.of(client_id)
        standing = self._live.take(str(client_id), allowed.requests)
        _check("live", standing, f"This client may open {standing.amount} streams a minute.")
        most = STREAMS_PER_CALL * max(allowed.calls, self._settings.client_calls)
        if self._streams[client_id] >= most:
            raise LimitReached("streams", f"This client has {most} streams open: close some.", RETRY_SECONDS)
        self._streams[client_id] += 1
        try:
            yield await self.meter(client_id)
        finally:
            self._streams[client_id] -= 1
            if not self._streams[client_id]:
                del self._streams[client_id]

    def reader(self, place: ResolvedAddress) -> None:
        """Count a request of somebody who needs no credentials.

        Raises:
            LimitReached: too many from this address in this minute.
        """
        standing = self._readers.take(
            str(place.address or place.peer), self._settings.public_requests_per_minute
        )
        _check("public", standing, f"From one address, {standing.amount} requests a minute are answered.")


def _check(name: str, standing: Standing, detail: str) -> None:
    if standing.wait:
        raise LimitReached(name, detail, standing.wait, standing.headers(name))
