"""Asterisk's side of a recorded call: a channel that listens in (docs/integrate/asterisk-websocket.md).

.venv/bin/python examples/asterisk_websocket.py
"""

from __future__ import annotations

import json
from base64 import b64encode

from phone import new_call, open_socket, report, spoken, where


def main() -> None:
    """Stream what the customer says, hang up, and see what became of it."""
    unique_id = new_call("asterisk")
    start = {
        "event": "MEDIA_START",
        "connection_id": "otokura",
        "channel": "WebSocket/otokura/0x7f0000000001",
        "channel_id": "1790000000.7",
        "format": "ulaw",
        "optimal_frame_size": 160,
        "ptime": 20,
        "channel_variables": {
            "OTOKURA_EXTERNAL_ID": unique_id,
            "OTOKURA_CALLER": "+815000000001",
            "OTOKURA_NOTICE": "announced",
            "OTOKURA_PURPOSES": "quality",
            "OTOKURA_LANGUAGE": "en",
            "OTOKURA_CHANNELS": "customer",
        },
    }
    password = b64encode(f"otokura:{where()[1]}".encode()).decode()
    headers = {"Authorization": f"Basic {password}"}
    with open_socket("/v1/streams/asterisk", headers, "media") as socket:
        socket.send(json.dumps(start))
        for _, customer, _ in spoken():
            socket.send(customer)
    report(unique_id)


if __name__ == "__main__":
    main()
