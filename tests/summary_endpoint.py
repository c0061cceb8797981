"""An OpenAI-compatible endpoint on a real socket: answers as it is told, remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def completion(content: str) -> bytes:
    """An answer in the form of chat completions."""
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    return json.dumps({"id": "c", "object": "chat.completion", "choices": [choice]}).encode()


def sentences(*pairs: tuple[str, list[int]]) -> bytes:
    """A completion with sentences and the turns that they rest on."""
    return completion(json.dumps({"sentences": [{"text": text, "turns": turns} for text, turns in pairs]}))


@dataclass
class Endpoint:
    """What it answers, and the requests that reached it: path, headers, body."""

    answer: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])
    hangs: bool = False
    asked: list[tuple[str, dict[str, str], bytes]] = field(
        default_factory=list[tuple[str, dict[str, str], bytes]]
    )
    released: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def question(self) -> dict[str, Any]:
        """The one question that it was asked."""
        [(_, _, body)] = self.asked
        parsed: dict[str, Any] = json.loads(body)
        return parsed


@contextmanager
def serving() -> Iterator[Endpoint]:
    """An endpoint while the block lasts; one that hangs is let go at its end."""
    endpoint = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            endpoint.asked.append((self.path, dict(self.headers), body))
            if endpoint.hangs:
                endpoint.released.wait()
                return
            self.send_response(endpoint.status)
            for name, value in endpoint.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(endpoint.answer)))
            self.end_headers()
            # Whoever asked may have had enough before the end.
            try:
                self.wfile.write(endpoint.answer)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    endpoint.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield endpoint
    finally:
        endpoint.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
