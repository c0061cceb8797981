"""The peer of `read.py`: the same route on the same stack, without anything that makes it a read.

No token, no query, no zone, no policy, no entry: the range is fetched, opened and sent. What the gated route
takes longer than this is what being allowed, and being written down, costs.
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated, Any, ClassVar
from uuid import UUID

from fastapi import APIRouter, FastAPI, Header, Request, Response

from otokura.shared.http import create_api, run
from otokura.shared.manifest import Manifest
from otokura.shared.objects import ObjectStore
from otokura.shared.range_client import RangeClient
from otokura.shared.ranges import ByteRange, parse_range
from otokura.shared.sealed_objects import HeaderCache, open_recording
from otokura.shared.settings import ServiceSettings

router = APIRouter()


class Settings(ServiceSettings):
    """Where the store is; everything else is not used."""

    service: ClassVar[str] = "ungated"


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    """Reads the manifest and the key of the one recording from stdin, so that no key is in an argument."""
    given: dict[str, Any] = json.loads(sys.stdin.readline())
    app.state.manifest = Manifest.model_validate(given["manifest"])
    app.state.dek = bytes.fromhex(given["dek"])
    app.state.store = ObjectStore.from_settings(app.state.settings, ranges=RangeClient)
    app.state.headers = HeaderCache()
    yield
    await app.state.store.close()


@router.get("/v1/calls/{call_id}/audio", response_class=Response)
async def get_audio(
    call_id: UUID, request: Request, range_header: Annotated[str | None, Header(alias="Range")] = None
) -> Response:
    """The range."""
    del call_id
    state, manifest = request.app.state, request.app.state.manifest
    size = manifest.recording.plaintext_bytes
    span = parse_range(range_header, size) or ByteRange(0, size, size)
    recording = open_recording(state.store, manifest, state.dek, state.headers)
    body = await recording.read(span.start, span.length)
    headers = {"Content-Type": manifest.recording.media_type, "Content-Range": span.content_range}
    return Response(body, 206, headers)


if __name__ == "__main__":
    run(
        lambda settings: create_api(settings, title="ungated", lifespan=lifespan, routers=[router]),
        Settings.load(),
    )
