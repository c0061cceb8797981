"""Storing a stream of unknown length in S3: parts are sent while the next is being collected."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from minio.datatypes import Part

from otokura.shared.errors import OtokuraError
from otokura.shared.s3 import ObjectInfo, S3Client

T = TypeVar("T")

PART_BYTES = 8 * 1024 * 1024
"""Size of a part of a multipart upload; S3 allows 10,000 of them, so an object may have 80 GB."""

_log = logging.getLogger(__name__)


class Runner(Protocol):
    """Runs a blocking call in a thread, with the store's errors translated."""

    def __call__(self, call: Callable[[], T], /) -> Coroutine[Any, Any, T]:
        """The call's result."""
        ...


class Upload:
    """One object on its way. A stream shorter than a part is put at once, without a multipart upload."""

    def __init__(self, client: S3Client, run: Runner, bucket: str, name: str, content_type: str) -> None:
        self._client = client
        self._run = run
        self._where = (bucket, name)
        self._content_type = content_type
        self._collected = bytearray()
        self._size = 0
        self._id: str | None = None
        self._parts: list[Part] = []
        self._sending: asyncio.Task[Part] | None = None

    async def add(self, chunk: bytes) -> None:
        """Takes the next bytes; waits while the part before is still being sent."""
        self._size += len(chunk)
        self._collected += chunk
        if len(self._collected) >= PART_BYTES:
            await self._send()

    async def finish(self) -> ObjectInfo:
        """Makes the object visible."""
        if self._id is None:
            data = bytes(self._collected)
            headers = {"Content-Type": self._content_type}
            return await self._run(lambda: self._client.put(*self._where, data, dict(headers)))
        if self._collected:
            await self._send()
        await self._sent()
        upload = self._id
        etag, version_id = await self._run(lambda: self._client.complete(*self._where, upload, self._parts))
        return ObjectInfo(self._where[1], self._size, etag, version_id)

    async def abort(self) -> None:
        """Withdraws what was sent. The store's lifecycle rule removes what this cannot."""
        if self._id is None:
            return
        if self._sending is not None:
            await asyncio.wait([self._sending])
        upload = self._id
        try:
            await self._run(lambda: self._client.abort(*self._where, upload))
        except OtokuraError:
            _log.warning("a multipart upload could not be withdrawn", exc_info=True)

    async def _send(self) -> None:
        await self._sent()
        if self._id is None:
            headers = {"Content-Type": self._content_type}
            self._id = await self._run(lambda: self._client.begin(*self._where, dict(headers)))
        upload, data, self._collected = self._id, self._collected, bytearray()
        number = len(self._parts) + 1
        self._sending = asyncio.create_task(
            self._run(lambda: self._client.put_part(*self._where, upload, number, data))
        )

    async def _sent(self) -> None:
        if self._sending is not None:
            sending, self._sending = self._sending, None
            self._parts.append(await sending)
