"""In audit's place: gives any call a history, an empty one unless a test says otherwise."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

EMPTY: dict[str, Any] = {"trees": [], "items": [], "next_cursor": None}


class HistoryStub:
    """What it answers next, and what it was asked."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.status = 200
        self.body: bytes = json.dumps(EMPTY).encode()
        self.first: list[int] = []
        """Statuses with which it answers before that."""
        self.asked: list[tuple[str, str]] = []
        """Path, and the bearer token."""


@contextmanager
def history_stub() -> Iterator[HistoryStub]:
    """It runs in a thread of the test."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            stub.asked.append((self.path, self.headers["Authorization"].removeprefix("Bearer ")))
            self.send_response(stub.first.pop(0) if stub.first else stub.status)
            self.send_header("Content-Length", str(len(stub.body)))
            self.end_headers()
            self.wfile.write(stub.body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stub = HistoryStub(server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
