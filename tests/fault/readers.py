"""Supervisors who listen and read in a storm, and write down whatever was answered with content."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections import Counter
from dataclasses import dataclass

import httpx

from fault.clients import RETRY_SECONDS, Client
from fault.history import Content, Read
from flac_decoding import decoded

LARGEST_RANGE = 65_536
PURPOSE = {"purpose": "quality"}


@dataclass(frozen=True)
class Sealed:
    """A call that can be read: its id, its channels, and the bytes of its recording."""

    call_id: str
    channels: int
    size: int


class Reader:
    """Reads calls at random.

    Args:
        url: of access.
        token: of somebody who may.
        answers: counts the statuses of all answers.
        reads: the journal.
    """

    def __init__(self, url: str, token: str, answers: Counter[int], reads: list[Read]) -> None:
        self._client = Client(url, {"Authorization": f"Bearer {token}"}, answers)
        self._reads = reads

    async def run(self, calls: list[Sealed], seed: int) -> None:
        """Reads whatever `calls` holds, until it is cancelled."""
        choose = random.Random(seed)
        while True:
            await asyncio.sleep(choose.uniform(0.2, 0.8))
            if not calls:
                continue
            call = choose.choice(calls)
            part = choose.choices(("range", "audio", "transcript"), (6, 1, 2))[0]
            if part == "transcript":
                await self._attempt(call.call_id, part)
            elif part == "audio":
                await self._attempt(call.call_id, "audio")
            else:
                start = choose.randrange(call.size)
                stop = min(call.size, start + choose.randint(1, LARGEST_RANGE))
                await self._attempt(call.call_id, "audio", (start, stop))

    async def transcribed(self, call_id: str) -> None:
        """Waits until the call has its transcript."""
        while True:
            seen = await self._client.insist("GET", f"/v1/calls/{call_id}", not_yet=(404,))
            if seen.json()["transcript"] is not None:
                return
            await asyncio.sleep(1.0)

    async def content(self, call: Sealed) -> Content:
        """All of a call, once it is transcribed; also these are reads, and stand in the journal."""
        audio = await self._whole(call.call_id, "audio")
        return Content(audio, decoded(audio, call.channels), await self._whole(call.call_id, "transcript"))

    async def _whole(self, call_id: str, part: str) -> bytes:
        while True:
            body = await self._attempt(call_id, part)
            if body is not None:
                return body
            await asyncio.sleep(RETRY_SECONDS)

    async def _attempt(self, call_id: str, part: str, span: tuple[int, int] | None = None) -> bytes | None:
        """One read. The body, if it came whole; whatever came is in the journal."""
        headers = {"Range": f"bytes={span[0]}-{span[1] - 1}"} if span else {}
        try:
            async with self._client.once(
                f"/v1/calls/{call_id}/{part}", params=PURPOSE, headers=headers
            ) as response:
                if not response.is_success:
                    # The read model may be behind, or something be away.
                    assert response.status_code in (404, 409) or response.status_code >= 500, response
                    return None
                return await self._receive(response, call_id, part, span[0] if span else 0)
        except httpx.TransportError:
            return None

    async def _receive(self, response: httpx.Response, call_id: str, part: str, start: int) -> bytes | None:
        body, complete = b"", False
        try:
            async for piece in response.aiter_raw():
                body += piece
            complete = True
        except httpx.TransportError:
            pass  # broken off: what came counts
        finally:
            entry_id = response.headers["Otokura-Entry-Id"]
            digest = hashlib.sha256(body).hexdigest()
            self._reads.append(Read(entry_id, call_id, part, start, len(body), digest, complete))
        return body if complete else None

    async def close(self) -> None:
        await self._client.close()
