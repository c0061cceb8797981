"""Asterisk's side of a recorded call over AudioSocket (docs/integrate/asterisk-audiosocket.md).

.venv/bin/python examples/audiosocket.py
"""

from __future__ import annotations

import json
import socket
import uuid
from typing import Any
from urllib.request import Request, urlopen

from phone import new_call, report, spoken, where

HANGUP = b"\x00\x00\x00"
UUID, SLIN_8K = 0x01, 0x10
SIGN, EXPONENT, MANTISSA, BIAS = 0x80, 0x70, 0x0F, 0x84


def main() -> None:
    """Start the call, stream customer and agent apart, hang up, and see what became of it."""
    unique_id = new_call("audiosocket")
    call = post(
        "/v1/calls",
        {
            "external_id": unique_id,
            "direction": "inbound",
            "caller": "+815000000001",
            "channels": [{"role": "customer"}, {"role": "agent"}],
            "notice": {"given": "announced"},
            "purposes": ["quality"],
            "language": "en",
        },
    )
    with leg(call["id"], 0) as customer, leg(call["id"], 1) as agent:
        for _, said, answered in spoken():
            customer.sendall(frame(SLIN_8K, linear(said)))
            agent.sendall(frame(SLIN_8K, linear(answered)))
        customer.sendall(HANGUP)
        agent.sendall(HANGUP)
        customer.recv(1)  # until ingest has read everything and closes
    report(unique_id)


def leg(call_id: str, channel: int) -> socket.socket:
    """A socket that has said which call and channel it carries."""
    given = post(f"/v1/calls/{call_id}/audiosocket", {"channel": channel})
    host, _, port = given["address"].rpartition(":")
    opened = socket.create_connection((host, int(port)))
    opened.sendall(frame(UUID, uuid.UUID(given["uuid"]).bytes))
    return opened


def frame(kind: int, payload: bytes) -> bytes:
    """Kind, length (big-endian), payload."""
    return bytes([kind]) + len(payload).to_bytes(2, "big") + payload


def linear(mulaw: bytes) -> bytes:
    """G.711 µ-law as signed 16-bit little-endian samples."""
    return b"".join(_sample(~code & 0xFF).to_bytes(2, "little", signed=True) for code in mulaw)


def _sample(code: int) -> int:
    level = (((code & MANTISSA) << 3) + BIAS << ((code & EXPONENT) >> 4)) - BIAS
    return -level if code & SIGN else level


def post(path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Ask ingest for something new."""
    url, api_key = where()
    headers = {
        "X-API-Key": api_key,
        "Idempotency-Key": str(uuid.uuid4()),
        "Content-Type": "application/json",
    }
    request = Request(url + path, json.dumps(body).encode(), headers)  # noqa: S310 - our own URL
    with urlopen(request) as response:  # noqa: S310
        answer: dict[str, Any] = json.loads(response.read())
    return answer


if __name__ == "__main__":
    main()
