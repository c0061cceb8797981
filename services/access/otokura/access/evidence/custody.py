"""The history of a call, as the audit service gives it: asked for by access, on behalf of who makes evidence.

The token that it is asked with is access's own, for that person and a minute, whatever they logged in with:
an identity provider's is no use at audit, and policies have just said that they may.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any
from uuid import UUID

import aiohttp
from pydantic import BaseModel, ConfigDict, ValidationError

from otokura.access.identity.subject import Reader
from otokura.shared import logs
from otokura.shared.errors import Unavailable
from otokura.shared.events import Role
from otokura.shared.tokens import Principal, TokenIssuer

log = logs.get_logger(__name__)

_MEMBERS = {"shard", "index", "leaf", "entry", "salt", "erased_at", "erased_why", "path"}
_MOST_BYTES = 128 * 1024 * 1024
_LIFETIME = timedelta(seconds=60)
_TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=5)
_TRIES = 5
_TRY_SECONDS = 1.0
_LATER = {HTTPStatus.CONFLICT, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.UNAUTHORIZED}
"""The entry is on its way into a signed tree; or the key of our tokens is, to an audit that just began."""


class Tree(BaseModel):
    """One year's log, as it was when the history was asked for."""

    model_config = ConfigDict(frozen=True)
    shard: int
    origin: str
    size: int
    key: str
    checkpoint: str


class _Page(BaseModel):
    trees: list[Tree]
    items: list[dict[str, Any]]
    next_cursor: str | None


@dataclass
class Told:
    """What the history says in numbers, once it was written."""

    entries: int = 0
    erased: int = 0
    actions: dict[str, int] = field(default_factory=dict[str, int])
    first_at: datetime | None = None
    last_at: datetime | None = None

    def count(self, item: dict[str, Any]) -> None:
        """Adds an entry."""
        self.entries += 1
        entry: dict[str, Any] | None = item["entry"]
        action = "(erased)" if entry is None else str(entry["action"])
        self.erased += entry is None
        self.actions[action] = self.actions.get(action, 0) + 1
        self.last_at = datetime.fromisoformat(item["leaf"]["time"])
        self.first_at = self.first_at or self.last_at


class History:
    """One call's, of which the first page is there. `told` and `trees` say what it was."""

    def __init__(self, asking: _Asking, first: _Page) -> None:
        self._asking = asking
        self._page = first
        self.trees = first.trees
        self.told = Told()

    async def lines(self) -> AsyncGenerator[bytes]:
        """Each entry as a line of JSON, oldest first, a page at a time.

        Raises:
            Unavailable: audit went away.
        """
        page = self._page
        while True:
            for item in page.items:
                self.told.count(item)
            yield b"".join(_line(item) for item in page.items)
            if page.next_cursor is None:
                return
            page = await self._asking.page({"cursor": page.next_cursor})


class Custody:
    """The audit service's histories.

    Args:
        url: its address; None when this installation has not said where it is.
        issuer: makes the tokens that it is asked with.
        page: how many entries it is asked for at once.
    """

    def __init__(self, url: str | None, issuer: TokenIssuer, page: int = 100) -> None:
        self._url = None if url is None else url.rstrip("/")
        self._issuer = issuer
        self.page = page
        self._session: aiohttp.ClientSession | None = None

    async def history(self, reader: Reader, call_id: UUID, holding: UUID, read_id: UUID) -> History:
        """The history of a call up to an entry that was acknowledged just now, and perhaps further.

        Args:
            reader: on whose behalf.
            call_id: the call.
            holding: the entry that must be in it.
            read_id: what it is for, as the log is told.

        Raises:
            Unavailable: audit is away, or does not have the entry within some seconds.
        """
        if self._url is None:
            raise Unavailable(
                "This installation does not say where its audit service is (OTOKURA_AUDIT_URL)."
            )
        asking = _Asking(self, f"{self._url}/v1/calls/{call_id}/custody", reader, read_id)
        return History(asking, await asking.page({"holding": str(holding)}))

    def token(self, reader: Reader) -> str:
        """For a minute; it never leaves the services."""
        who = Principal(reader.facts.id, reader.facts.tenant_id, frozenset({Role.EVIDENCE_OFFICER}), "client")
        return self._issuer.issue(who, _LIFETIME)

    def opened(self) -> aiohttp.ClientSession:
        """The connections, made at the first request."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=False)
        return self._session

    async def close(self) -> None:
        """Closes them."""
        if self._session is not None:
            await self._session.close()


@dataclass(frozen=True)
class _Asking:
    custody: Custody
    url: str
    reader: Reader
    read_id: UUID

    async def page(self, params: dict[str, str]) -> _Page:
        """One page; waits while the newest entry is on its way into a signed tree."""
        for _ in range(_TRIES):
            try:
                status, body = await self._get(params)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                log.warning("the audit service is away", call=self.url, exc_info=error)
                raise Unavailable("The audit service cannot be reached: no evidence without it.") from None
            if status == HTTPStatus.OK:
                return _parsed(body)
            log.warning("the audit service gives no history", call=self.url, status=status)
            if status not in _LATER:
                break
            await asyncio.sleep(_TRY_SECONDS)
        raise Unavailable("The audit service does not give the call's history now: try again soon.")

    async def _get(self, params: dict[str, str]) -> tuple[int, bytes]:
        params = {"limit": str(self.custody.page), "read_id": str(self.read_id), **params}
        headers = {"Authorization": f"Bearer {self.custody.token(self.reader)}"}
        session = self.custody.opened()
        async with session.get(self.url, params=params, headers=headers, allow_redirects=False) as response:
            body = bytearray()
            async for chunk in response.content.iter_chunked(1 << 16):
                body += chunk
                if len(body) > _MOST_BYTES:
                    raise aiohttp.ClientPayloadError("longer than a page can be")
            return response.status, bytes(body)


def _parsed(body: bytes) -> _Page:
    try:
        return _Page.model_validate_json(body)
    except ValidationError:
        # Without its cause, which quotes the entries.
        raise Unavailable("The audit service gives something else than a history.") from None


def _line(item: dict[str, Any]) -> bytes:
    """What a bundle of this version holds of an entry, whatever audit tells beside it."""
    held = {name: it for name, it in item.items() if name in _MEMBERS}
    return json.dumps(held, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
