"""The requests of tus, one by one, for tests that look at headers; elsewhere tuspy is the client."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

import httpx

from ingest_service import Credentials, IngestService

MIB = 1024 * 1024
TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {**TUS, "Content-Type": "application/offset+octet-stream"}


async def announce(
    client: httpx.AsyncClient, call: dict[str, Any], length: int, *, name: str | None = None
) -> str:
    """Create an upload; its address."""
    headers = {**TUS, "Upload-Length": str(length)}
    if name is not None:
        headers["Upload-Metadata"] = f"filename {base64.b64encode(name.encode()).decode()},confidential"
    response = await client.post(f"/v1/calls/{call['id']}/uploads", headers=headers)
    assert response.status_code == 201, response.text
    return response.headers["location"]


async def patch(
    client: httpx.AsyncClient, upload: str, data: bytes | AsyncIterable[bytes], offset: int, **more: str
) -> httpx.Response:
    """Send bytes from an offset on."""
    headers = {**BYTES, "Upload-Offset": str(offset), **more}
    return await client.patch(upload, content=data, headers=headers)


async def offset_of(client: httpx.AsyncClient, upload: str) -> int:
    """How much is stored."""
    response = await client.head(upload, headers=TUS)
    assert response.status_code == 200, response.headers
    return int(response.headers["upload-offset"])


async def offset_reached(client: httpx.AsyncClient, upload: str, offset: int) -> None:
    """Wait until so much is stored: what a broken connection brought is stored after it broke."""
    async with asyncio.timeout(30):
        while True:
            reached = await offset_of(client, upload)
            if reached >= offset:
                break
            await asyncio.sleep(0.05)
    assert reached == offset


async def pieces(data: bytes, size: int = 60_000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def broken_patch(
    ingest: IngestService, credentials: Credentials, upload: str, data: bytes, offset: int, **more: str
) -> None:
    """A PATCH that announces one byte more than it sends, and hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", ingest.port)
    headers = {
        "Host": "x",
        "Content-Length": str(len(data) + 1),
        "Upload-Offset": str(offset),
        **credentials.headers,
        **BYTES,
        **more,
    }
    lines = [f"PATCH {upload} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    writer.write("\r\n".join(lines).encode() + data)
    await writer.drain()
    writer.write_eof()
    await reader.read()
    writer.close()
