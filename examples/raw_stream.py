"""A phone system of your own: what was not accepted is sent again (docs/integrate/raw-stream.md).

.venv/bin/python examples/raw_stream.py
"""

from __future__ import annotations

import json
import uuid
from urllib.request import Request, urlopen

from phone import new_call, open_socket, report, spoken, where

FORMAT = "encoding=mulaw&rate=8000&channels=2"
NETWORK_FAILS_MS = 7000
FRAME_BYTES = 2
"""One µ-law sample of each channel."""


def post(path: str, body: dict[str, object]) -> dict[str, object]:
    """A request to ingest; repeating it with its key would change nothing."""
    url, api_key = where()
    headers = {
        "X-API-Key": api_key,
        "Content-Type": "application/json",
        "Idempotency-Key": str(uuid.uuid4()),
    }
    request = Request(url + path, json.dumps(body).encode(), headers)  # noqa: S310 - our own URL
    with urlopen(request) as response:  # noqa: S310
        answer: dict[str, object] = json.load(response)
        return answer


def main() -> None:
    """Start a call, lose the connection in the middle, go on where it was accepted, end it."""
    external_id = new_call("raw")
    call = post(
        "/v1/calls",
        {
            "external_id": external_id,
            "direction": "inbound",
            "channels": [{"role": "customer"}, {"role": "agent"}],
            "notice": {"given": "announced"},
            "purposes": ["quality"],
            "language": "en",
        },
    )
    path, headers = f"/v1/calls/{call['id']}/stream?{FORMAT}", {"X-API-Key": where()[1]}
    kept = b""
    with open_socket(path, headers) as socket:
        json.loads(socket.recv())  # ready
        for milliseconds, customer, agent in spoken():
            frames = b"".join(bytes(pair) for pair in zip(customer, agent, strict=True))
            kept += frames
            if milliseconds < NETWORK_FAILS_MS:  # afterwards we go on recording
                socket.send(frames)
    with open_socket(path, headers) as socket:
        accepted = json.loads(socket.recv())["accepted_samples"]
        socket.send(kept[accepted * FRAME_BYTES :])
        socket.send('{"type":"end"}')
        while not json.loads(socket.recv())["final"]:
            continue
    post(f"/v1/calls/{call['id']}/end", {})
    report(external_id)


if __name__ == "__main__":
    main()
