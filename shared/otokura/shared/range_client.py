"""Ranges of objects over asyncio, as every read asks for them, at a third of what a thread and `minio` cost.

`minio` signs an address that is good for a while (AWS Signature Version 4, query parameters), and aiohttp
fetches ranges from it. Whatever is not plainly the range that was asked for is left to `minio`, which tries
again where that may help, and has a word for everything that a store may answer.
"""

from __future__ import annotations

import time
from datetime import timedelta
from functools import lru_cache
from http import HTTPStatus

import aiohttp
from minio import Minio
from yarl import URL

from otokura.shared.s3 import ObjectRange

_PERIOD_SECONDS = 600
"""How long an address is used; it is good for twice as long, so that none ends on its way."""
_REMEMBERED = 4096
_TIMEOUT = aiohttp.ClientTimeout(sock_connect=3, sock_read=30)
# Nothing of what a client usually says of itself; the bytes as they lie there.
_SILENT = {"User-Agent", "Accept", "Accept-Encoding"}


class RangeClient:
    """One identity at one S3 endpoint. Connects at the first request.

    Args:
        client: signs.
        connections: kept open at most.
    """

    def __init__(self, client: Minio, connections: int) -> None:
        self._client = client
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None
        self._address = lru_cache(maxsize=_REMEMBERED)(self._sign)

    async def get(self, bucket: str, name: str, start: int, length: int) -> ObjectRange | None:
        """The bytes [start, start + length), fewer at the end; None when it did not work out."""
        address = self._address(bucket, name, int(time.time()) // _PERIOD_SECONDS)
        headers = {"Range": f"bytes={start}-{start + length - 1}"}
        try:
            async with self._opened().get(address, headers=headers, allow_redirects=False) as response:
                total = response.headers.get("Content-Range", "").rpartition("/")[2]
                if response.status != HTTPStatus.PARTIAL_CONTENT or not total.isdecimal():
                    return None
                data = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None
        return ObjectRange(data, int(total), response.headers.get("ETag", "").strip('"'))

    async def close(self) -> None:
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()

    def _sign(self, bucket: str, name: str, period: int) -> URL:
        del period  # a new period is a new address
        expires = timedelta(seconds=2 * _PERIOD_SECONDS)
        return URL(self._client.presigned_get_object(bucket, name, expires), encoded=True)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=_TIMEOUT,
                auto_decompress=False,
                skip_auto_headers=_SILENT,
            )
        return self._session
