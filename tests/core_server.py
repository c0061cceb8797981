"""A service that is only a test, served as the real ones are: `python tests/core_server.py`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fastapi import APIRouter, FastAPI, Request, WebSocket
from fastapi.responses import StreamingResponse

from core import Settings, nothing
from otokura.shared.address import ClientAddress
from otokura.shared.http import create_api, run

router = APIRouter()


@router.get("/from")
async def whence(address: ClientAddress) -> str:
    """The address and how it was found."""
    return f"{address.address} {address.reason}"


@router.get("/slow")
async def slow() -> StreamingResponse:
    """Begins, and ends after a while, so that a test can stop the server meanwhile."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b"begun "
        await asyncio.sleep(0.5)
        yield b"done"

    return StreamingResponse(chunks())


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
