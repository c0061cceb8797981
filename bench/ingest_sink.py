"""The peer of `ingest.py`: a bare Starlette app that reads the same frames and does nothing with them.

Served by uvicorn as it comes, without the deflate and the log of requests that ingest does without, too.
"""

from __future__ import annotations

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket


async def sink(websocket: WebSocket) -> None:
    """Read until the client leaves."""
    await websocket.accept()
    while (await websocket.receive())["type"] != "websocket.disconnect":
        continue


if __name__ == "__main__":
    uvicorn.run(
        Starlette(routes=[WebSocketRoute("/sink", sink)]),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        access_log=False,
        log_level="warning",
    )
