"""Genesys' side of a recorded conversation over AudioHook (docs/integrate/genesys-audiohook.md).

.venv/bin/python examples/audiohook.py

It registers a client secret of its own for the local vendor first; elsewhere give yours as
`OTOKURA_CLIENT_SECRET`, in base64, as it is entered at Genesys, and it registers nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import time
import uuid
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from phone import open_socket, report, spoken, where

PATH = "/v1/streams/audiohook"
ORGANIZATION = "d7934305-0972-4844-938e-9060eef73d05"
MEDIA = {"type": "audio", "format": "PCMU", "channels": ["external", "internal"], "rate": 8000}


def main() -> None:
    """Open, stream both voices, close, and see what became of it."""
    secret = client_secret()
    session_id, conversation_id = str(uuid.uuid4()), str(uuid.uuid4())
    with open_socket(PATH, signed_headers(secret, session_id)) as socket:
        session = Session(session_id)
        participant = {"id": str(uuid.uuid4()), "ani": "+815000000001", "aniName": "", "dnis": "+81120000000"}
        opening = {
            "organizationId": ORGANIZATION,
            "conversationId": conversation_id,
            "participant": participant,
            "media": [MEDIA],
            "language": "en-US",
        }
        socket.send(session.message("open", opening))
        print(session.heard(socket.recv()))
        for _, customer, agent in spoken():
            socket.send(b"".join(bytes(pair) for pair in zip(customer, agent, strict=True)))
            session.samples += len(customer)
        socket.send(session.message("close", {"reason": "end"}))
        # Before `closed` stands what came meanwhile: the call's text, where its company wants that.
        for told in map(session.heard, socket):
            print(told)
            if told.startswith("closed"):
                break
    report(conversation_id)


class Session:
    """The numbers that both sides count."""

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        self.seq = self.serverseq = self.samples = 0

    def message(self, kind: str, parameters: dict[str, Any]) -> str:
        """The client's next message."""
        self.seq += 1
        return json.dumps(
            {
                "version": "2",
                "id": self.session_id,
                "type": kind,
                "seq": self.seq,
                "serverseq": self.serverseq,
                "position": f"PT{self.samples / 8000}S",
                "parameters": parameters,
            }
        )

    def heard(self, text: str | bytes) -> str:
        """What the server said, in short."""
        told = json.loads(text)
        self.serverseq = told["seq"]
        return f"{told['type']} {json.dumps(told['parameters'])}"


def client_secret() -> bytes:
    """The secret with which Genesys signs: given, or a new one that is registered here and now."""
    if "OTOKURA_CLIENT_SECRET" in os.environ:
        return base64.b64decode(os.environ["OTOKURA_CLIENT_SECRET"], validate=True)
    secret = secrets.token_bytes(32)
    registration = {
        "client_secret": base64.b64encode(secret).decode(),
        "defaults": {"purposes": ["quality"], "notice": {"given": "attested", "version": "2026-04"}},
    }
    url, api_key = where()
    request = Request(  # noqa: S310 - our own URL
        f"{url}/v1/connections/audiohook",
        json.dumps(registration).encode(),
        {"X-API-Key": api_key, "Content-Type": "application/json"},
        method="PUT",
    )
    with urlopen(request):  # noqa: S310
        time.sleep(1)  # so long an earlier secret may still count
    return secret


def signed_headers(secret: bytes, session_id: str) -> dict[str, str]:
    """The header fields of the upgrade request, and the signature over them (RFC 9421, HMAC-SHA256)."""
    url, api_key = where()
    fields = {
        "audiohook-organization-id": ORGANIZATION,
        "audiohook-session-id": session_id,
        "audiohook-correlation-id": str(uuid.uuid4()),
        "x-api-key": api_key,
    }
    covered = {"@request-target": PATH, "@authority": urlsplit(url).netloc, **fields}
    created = int(time.time())
    names = " ".join(f'"{name}"' for name in covered)
    parameters = (
        f'({names});keyid="{api_key}";nonce="{secrets.token_urlsafe(24)}";alg="hmac-sha256"'
        f";created={created};expires={created + 10}"
    )
    lines = [f'"{name}": {value}' for name, value in covered.items()]
    base = "\n".join([*lines, f'"@signature-params": {parameters}'])
    signature = base64.b64encode(hmac.new(secret, base.encode(), hashlib.sha256).digest()).decode()
    return {**fields, "Signature-Input": f"sig1={parameters}", "Signature": f"sig1=:{signature}:"}


if __name__ == "__main__":
    main()
