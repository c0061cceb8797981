"""A server that Otokura tells about calls: verifies each webhook, prints it, and answers.

With a local Otokura (`make up`) running, in this folder's parent:

    .venv/bin/python examples/webhook_receiver.py
    .venv/bin/otokura call send examples/calls/en-support.wav      (in another terminal)

It registers itself, and takes itself off again at Ctrl-C. Elsewhere, say where ingest is and who you are:
`OTOKURA_INGEST=https://… OTOKURA_API_KEY=otk_… PUBLIC_URL=https://…`. Or register by hand and give the
secret: `WEBHOOK_SECRET=whsec_…`. Nothing but the standard library is needed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import signal
import sys
import time
import uuid
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

PORT = int(os.environ.get("PORT", "8099"))
TOLERANCE_SECONDS = 300
LARGEST_BODY = 1 << 20
EVENTS = ["call.sealed", "call.failed", "call.empty", "call.transcribed"]


def is_genuine(secret: str, headers: Any, body: bytes) -> bool:
    """Whether Otokura sent this, lately. `body` is what came, byte for byte: do not parse it first."""
    timestamp = headers.get("webhook-timestamp", "")
    if not timestamp.isdigit() or abs(time.time() - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    content = f"{headers.get('webhook-id', '')}.{timestamp}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    # During a rotation there are several signatures, one for each secret.
    signatures = headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(expected.encode(), one.encode()) for one in signatures)


class Receiver(BaseHTTPRequestHandler):
    """Answers quickly, and does the work (here: printing) once for each `webhook-id`."""

    protocol_version = "HTTP/1.1"
    secret = ""
    # A real receiver keeps the ids where they survive a restart, in the transaction of what it does.
    seen: set[str] = set()  # noqa: RUF012 - one for all requests, on purpose

    def do_POST(self) -> None:
        """One webhook."""
        length = int(self.headers.get("content-length", "0"))
        if length > LARGEST_BODY:
            self._answer(413)
            return
        body = self.rfile.read(length)
        if not is_genuine(self.secret, self.headers, body):
            self._answer(401)
            return
        self._answer(204)
        if self.headers["webhook-id"] not in self.seen:
            self.seen.add(self.headers["webhook-id"])
            event = json.loads(body)
            print(event["type"], json.dumps(event["data"], ensure_ascii=False), flush=True)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing of each request; what it brought is printed."""

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()


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


def ask(method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """One request to ingest."""
    url, api_key = where()
    headers = {
        "X-API-Key": api_key, "Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4()),
    }  # fmt: skip
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(url + path, data, headers, method=method)) as response:  # noqa: S310 - our own URL
        return json.loads(response.read() or "null")


def main() -> None:
    """Listen, register, and print until Ctrl-C."""
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.default_int_handler)
    server = ThreadingHTTPServer(("127.0.0.1", PORT), Receiver)
    webhook_id = None
    if "WEBHOOK_SECRET" in os.environ:
        Receiver.secret = os.environ["WEBHOOK_SECRET"]
    else:
        own_url = os.environ.get("PUBLIC_URL", f"http://127.0.0.1:{server.server_port}/otokura")
        created = ask("POST", "/v1/webhooks", {"url": own_url, "events": EVENTS, "description": "Example"})
        Receiver.secret, webhook_id = created["secret"], created["id"]
    print(f"listening on port {server.server_port} for webhook {webhook_id or 'of yours'}", flush=True)
    try:
        with suppress(KeyboardInterrupt):
            server.serve_forever()
    finally:
        server.server_close()
        if webhook_id:
            ask("DELETE", f"/v1/webhooks/{webhook_id}")


if __name__ == "__main__":
    main()
