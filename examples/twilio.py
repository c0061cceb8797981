"""Twilio's side of a recorded call: `<Start><Stream track="both_tracks">` (docs/integrate/twilio.md).

.venv/bin/python examples/twilio.py
"""

from __future__ import annotations

import json
from base64 import b64encode

from phone import new_call, open_socket, report, spoken, where

STREAM = "MZ00000000000000000000000000000001"


def media(number: int, track: str, timestamp: int, payload: bytes) -> str:
    """A piece of one track."""
    told = {
        "track": track,
        "chunk": str(number),
        "timestamp": str(timestamp),
        "payload": b64encode(payload).decode(),
    }
    return json.dumps(
        {"event": "media", "sequenceNumber": str(number + 1), "media": told, "streamSid": STREAM}
    )


def main() -> None:
    """Stream a call, stop, and see what became of it."""
    call_sid = new_call("CA")
    parameters = {"api_key": where()[1], "notice": "announced", "purposes": "quality", "language": "en"}
    start = {
        "callSid": call_sid,
        "streamSid": STREAM,
        "accountSid": "AC00000000000000000000000000000001",
        "tracks": ["inbound", "outbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": parameters,
    }
    with open_socket("/v1/streams/twilio", {}) as socket:
        socket.send(json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"}))
        socket.send(
            json.dumps({"event": "start", "sequenceNumber": "1", "start": start, "streamSid": STREAM})
        )
        for number, (ms, customer, agent) in enumerate(spoken()):
            socket.send(media(2 * number + 1, "inbound", ms, customer))
            socket.send(media(2 * number + 2, "outbound", ms, agent))
        socket.send(json.dumps({"event": "stop", "streamSid": STREAM, "stop": {"callSid": call_sid}}))
    report(call_sid)


if __name__ == "__main__":
    main()
