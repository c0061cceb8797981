"""The bytes of a vendor's upload as they come in. `upload_limit` counts them, here their pace is watched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from starlette.requests import Request

from otokura.ingest.errors import UploadStalled
from otokura.ingest.state import State


async def incoming(state: State, request: Request) -> AsyncGenerator[bytes]:
    """The body of the request.

    A client that holds its connection open without sending must not hold the call for ever.

    Raises:
        UploadStalled: nothing came for too long.
        ClientDisconnect: the connection ended before the body did.
    """
    seconds = state.settings.upload_stall_seconds
    body = request.stream()
    while True:
        try:
            async with asyncio.timeout(seconds):
                chunk = await anext(body)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise UploadStalled(seconds) from None
        yield chunk
