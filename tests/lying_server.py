"""A log's folder served over HTTP by a server that lies where it is told to."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

Lie = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class LyingServer:
    """What it serves: the files of `root`, but for the paths that have a lie of their own."""

    root: Path
    url: str
    lies: dict[str, Lie] = field(default_factory=dict[str, Lie])
    asked: list[str] = field(default_factory=list[str])


def answer(status: int = 200, body: bytes = b"", *, promised: int | None = None, **headers: str) -> Lie:
    """One answer; `promised` is the Content-Length that is told instead of the true one."""

    def tell(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body) if promised is None else promised))
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(body)
        handler.close_connection = True

    return tell


@contextmanager
def lying_server(root: Path) -> Iterator[LyingServer]:
    """Serves a folder until the block ends."""
    told = LyingServer(root, "")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.lstrip("/")
            told.asked.append(path)
            lie = told.lies.get(path)
            file = root / path
            if lie is None:
                lie = answer(200, file.read_bytes()) if file.is_file() else answer(404)
            with contextlib.suppress(ConnectionError):  # a client that had enough
                lie(self)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    told.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
