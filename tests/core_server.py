"""A service that is only a test, served as the real ones are: `python tests/core_server.py`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fastapi import APIRouter, FastAPI, Request, WebSocket
from fastapi.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from core import Settings, nothing
from otokura.shared.address import ClientAddress
from otokura.shared.http import create_api, run
from otokura.shared.http_connections import at_shutdown

router = APIRouter()


@router.get("/from")
async def whence(address: ClientAddress) -> str:
    """The address and how it was found."""
    return f"{address.address} {address.reason}"


@router.websocket("/from")
async def whence_a_socket(websocket: WebSocket, address: ClientAddress) -> None:
    """The same of a WebSocket."""
    await websocket.accept()
    await websocket.send_text(f"{address.address} {address.reason}")
    await websocket.close()


@router.get("/slow")
async def slow() -> StreamingResponse:
    """Begins, and ends after a while, so that a test can stop the server meanwhile."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b"begun "
        await asyncio.sleep(0.5)
        yield b"done"

    return StreamingResponse(chunks())


class Endless(Response):
    """Begins, and ends when the process is to end: not by itself."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Says what it was that ended it."""
        del receive
        await send({"type": "http.response.start", "status": 200, "headers": []})
        with at_shutdown(scope) as stopping:
            await send({"type": "http.response.body", "body": b"begun ", "more_body": True})
            await stopping.wait()
        await send({"type": "http.response.body", "body": b"told to stop"})


@router.get("/endless")
async def endless() -> Response:
    """Live text, for one, has no end of its own."""
    return Endless()


@router.put("/size")
async def size(request: Request) -> int:
    """How long the body is."""
    return sum([len(chunk) async for chunk in request.stream()])


@router.websocket("/stream")
async def stream(websocket: WebSocket) -> None:
    """Says back how long each message is."""
    await websocket.accept()
    async for message in websocket.iter_bytes():
        await websocket.send_json(len(message))


def create_app(settings: Settings) -> FastAPI:
    """The app."""
    return create_api(settings, title="Test", lifespan=nothing, routers=[router])


if __name__ == "__main__":
    run(create_app, Settings.load())
