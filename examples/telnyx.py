"""Telnyx' side of a recorded call: `streaming_start` with both tracks (docs/integrate/telnyx.md).

.venv/bin/python examples/telnyx.py
"""

from __future__ import annotations

import json
from base64 import b64encode

from phone import new_call, open_socket, report, spoken, where

STREAM = "32DE0DEA-53CB-4B21-89A4-9E1819C043BC"


def media(number: int, track: str, timestamp: int, payload: bytes) -> str:
    """A piece of one track."""
    told = {
        "track": track,
        "chunk": str(number),
        "timestamp": str(timestamp),
        "payload": b64encode(payload).decode(),
    }
    return json.dumps(
        {"event": "media", "sequence_number": str(number + 1), "media": told, "stream_id": STREAM}
    )


def main() -> None:
    """Stream a call, stop, and see what became of it."""
    call_control_id, token = new_call("v3"), where()[1]
    start = {
        "user_id": "3E6F995F-85F7-4705-9741-53B116D28237",
        "call_control_id": call_control_id,
        "from": "+815000000001",
        "to": "+815000000002",
        "media_format": {"encoding": "PCMU", "sample_rate": 8000, "channels": 1},
        "custom_parameters": {"notice": "announced", "purposes": "quality", "language": "en"},
    }
    name = "x-telnyx-streaming-auth-token"
    with open_socket("/v1/streams/telnyx", {name: token}) as socket:
        socket.send(json.dumps({"event": "connected", "version": "1.0.0", name: token}))
        socket.send(
            json.dumps({"event": "start", "sequence_number": "1", "start": start, "stream_id": STREAM})
        )
        for number, (ms, customer, agent) in enumerate(spoken()):
            socket.send(media(2 * number + 1, "inbound", ms, customer))
            socket.send(media(2 * number + 2, "outbound", ms, agent))
        socket.send(json.dumps({"event": "stop", "stream_id": STREAM}))
    report(call_control_id)


if __name__ == "__main__":
    main()
