"""jambonz' side of a recorded call: the verb `listen` in stereo (docs/integrate/jambonz.md).

.venv/bin/python examples/jambonz.py
"""

from __future__ import annotations

import json
from base64 import b64encode

import numpy as np
from phone import new_call, open_socket, report, spoken, where

from otokura.shared.media.g711 import decode_mulaw


def stereo(customer: bytes, agent: bytes) -> bytes:
    """16-bit little-endian samples, the customer's first."""
    return np.stack([decode_mulaw(customer), decode_mulaw(agent)], axis=1).astype("<i2").tobytes()


def main() -> None:
    """Stream a call, close, and see what became of it."""
    call_sid = new_call("jambonz")
    start = {
        "sampleRate": 8000,
        "mixType": "stereo",
        "callSid": call_sid,
        "direction": "inbound",
        "from": "+815000000001",
        "to": "+815000000002",
        "otokura": {"notice": "announced", "purposes": ["quality"], "language": "en"},
    }
    password = b64encode(f"otokura:{where()[1]}".encode()).decode()
    headers = {"Authorization": f"Basic {password}"}
    with open_socket("/v1/streams/jambonz", headers, "audio.jambonz.org") as socket:
        socket.send(json.dumps(start))
        for _, customer, agent in spoken():
            socket.send(stereo(customer, agent))
    report(call_sid)


if __name__ == "__main__":
    main()
