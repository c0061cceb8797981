"""What the examples of phone systems share: a call to play, where to send it, and what became of it.

Each plays its vendor's side of a call, so that you see what your own phone system will send: ten seconds of
`calls/en-support.wav` as they were spoken. They find the local Otokura (`make up`) by themselves. Elsewhere,
say where ingest is and who you are: `OTOKURA_INGEST=https://… OTOKURA_API_KEY=otk_…`.
"""

from __future__ import annotations

import json
import os
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

CALL = Path(__file__).parent / "calls" / "en-support.wav"
SECONDS = 10
SPEED = float(os.environ.get("SPEED", "1"))
"""Times the pace of speech."""
PIECE = 160
"""Samples in 20 ms at 8 kHz."""
_DATA = b"data"


def where() -> tuple[str, str]:
    """The address of ingest and an API key: given, or those of the local Otokura."""
    if "OTOKURA_INGEST" in os.environ:
        return os.environ["OTOKURA_INGEST"], os.environ["OTOKURA_API_KEY"]
    folder = Path(".otokura")
    try:
        stack = json.loads((folder / "stack.json").read_text())
        credentials = json.loads((folder / "credentials.json").read_text())
    except FileNotFoundError:
        sys.exit(
            "No local Otokura runs here: start it with `make up`, or set OTOKURA_INGEST and OTOKURA_API_KEY."
        )
    return stack["urls"]["ingest"], credentials["principals"]["vendor"]["api_key"]


def new_call(vendor: str) -> str:
    """An id as the phone system would give one."""
    return f"{vendor}-{uuid.uuid4()}"


def open_socket(path: str, headers: dict[str, str], subprotocol: str | None = None) -> ClientConnection:
    """A WebSocket to ingest."""
    url, _ = where()
    protocols = None if subprotocol is None else [Subprotocol(subprotocol)]
    return connect(
        url.replace("http", "ws", 1) + path,
        additional_headers=headers,
        subprotocols=protocols,
        compression=None,
        proxy=None,
    )


def spoken() -> Iterator[tuple[int, bytes, bytes]]:
    """The call in pieces of 20 ms, when they were spoken: milliseconds, and µ-law of customer and agent."""
    file = CALL.read_bytes()
    start = (
        file.index(_DATA) + 8
    )  # the sample call has a plain header: samples follow the word and their size
    began = time.monotonic()
    for number in range(SECONDS * 50):
        both = file[start + number * 2 * PIECE :][: 2 * PIECE]
        yield number * 20, both[1::2], both[0::2]
        time.sleep(max(0.0, began + (number + 1) * 0.02 / SPEED - time.monotonic()))


def report(external_id: str) -> None:
    """Wait until the call is settled, and print what became of it."""
    url, api_key = where()
    while True:
        request = Request(  # noqa: S310 - our own URL
            f"{url}/v1/calls?external_id={quote(external_id)}", headers={"X-API-Key": api_key}
        )
        with urlopen(request) as response:  # noqa: S310
            [call] = json.loads(response.read())["items"]
        if call["state"] in ("sealed", "failed", "empty"):
            break
        time.sleep(0.2)
    print(_described(call))


def _described(call: dict[str, Any]) -> str:
    recording = call["recording"] or {"duration_ms": 0}
    roles = ", ".join(channel["role"] for channel in call["channels"])
    return f"{call['id']} {call['state']}: {recording['duration_ms'] / 1000:.2f} s, channels {roles}"
