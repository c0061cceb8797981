"""Entries as CloudEvents 1.0, in batches over HTTP. Blocking: call it in a thread.

A batch is received when it is answered with 2xx; anything else, a redirect too, and it is sent again. Its
signature is that of Standard Webhooks: `webhook-id`, `webhook-timestamp`, and HMAC-SHA256 over both and the
body, in base64.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import ssl
import time
from collections.abc import Sequence
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from otokura.audit.siem_lines import connected
from otokura.audit.siem_receivers import EventsReceiver
from otokura.shared.errors import Unavailable

MEDIA_TYPE = "application/cloudevents-batch+json; charset=utf-8"
TYPE = "otokura.audit.entry.v1"
_SUCCESS = range(200, 300)
_PORTS = {"http": 80, "https": 443}


def event(entry: dict[str, Any], origin: str) -> dict[str, Any]:
    """An entry as a CloudEvent (CloudEvents 1.0.2 §3): its id is the entry's, so that repeats are known."""
    return {
        "specversion": "1.0",
        "id": entry["entry_id"],
        "source": f"//{origin}/{entry['shard']}",
        "type": TYPE,
        "subject": entry["action"],
        "time": entry["time"],
        "datacontenttype": "application/json",
        "sequence": f"{entry['index']:020d}",
        "data": entry,
    }


def body(events: Sequence[dict[str, Any]]) -> bytes:
    """A batch (JSON event format §4)."""
    return json.dumps(events, ensure_ascii=False, separators=(",", ":")).encode()


def send(receiver: EventsReceiver, batch_id: str, data: bytes) -> None:
    """Sends one batch.

    Raises:
        Unavailable: the receiver is away, is not who it should be, or did not take it.
    """
    url = urlsplit(receiver.url)
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    try:
        headers = {"Content-Type": MEDIA_TYPE, **_credentials(receiver, batch_id, data)}
        with (
            connected(url, 80 if url.scheme == "http" else 443) as line,
            closing(_over(line, receiver)) as http,
        ):
            http.request("POST", target, data, headers)
            status = http.getresponse().status
    except (OSError, ValueError, HTTPException) as error:
        raise Unavailable(f"The receiver {receiver.name} is away: {type(error).__name__}.") from error
    if status not in _SUCCESS:
        raise Unavailable(f"The receiver {receiver.name} answers {status}.")


def _over(line: socket.socket, receiver: EventsReceiver) -> HTTPConnection:
    """HTTP over a connection that is there, in TLS where the address says so."""
    url = urlsplit(receiver.url)
    host = str(url.hostname)
    if url.scheme == "http":
        plain = HTTPConnection(host, url.port)
        plain.sock = line
        return plain
    context = ssl.create_default_context(cafile=receiver.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    secure = HTTPSConnection(host, url.port, context=context)
    secure.sock = context.wrap_socket(line, server_hostname=host)
    return secure


def _credentials(receiver: EventsReceiver, batch_id: str, data: bytes) -> dict[str, str]:
    """Read from their files each time: a secret that was changed holds at once."""
    headers: dict[str, str] = {}
    if receiver.token_file is not None:
        headers["Authorization"] = f"Bearer {receiver.token_file.read_text().strip()}"
    if receiver.secret_file is not None:
        stamp = str(int(time.time()))
        signed = f"{batch_id}.{stamp}.".encode() + data
        mac = hmac.new(receiver.secret_file.read_bytes().strip(), signed, hashlib.sha256).digest()
        signature = f"v1,{base64.b64encode(mac).decode()}"
        headers |= {"webhook-id": batch_id, "webhook-timestamp": stamp, "webhook-signature": signature}
    return headers
