"""Entries as syslog: RFC 5424 messages, octet-counted over TCP or TLS (RFC 5425 §4.3, RFC 6587 §3.4.1).

Syslog acknowledges nothing. So each batch has a connection of its own that is closed in order: only when the
receiver has read to the end and closed its side, too, is the batch taken for received. A kernel resets a
connection that a process leaves with anything unread. Blocking: call it in a thread.
"""

from __future__ import annotations

import fcntl
import json
import socket
import ssl
import termios
from array import array
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from otokura.audit.siem_lines import connected
from otokura.audit.siem_receivers import SyslogReceiver
from otokura.shared.errors import Unavailable

FACILITY = 13
"""Log audit (RFC 5424 §6.2.1)."""
_WARNING, _NOTICE, _INFORMATIONAL = 4, 5, 6
_NOTABLE = (".changed", ".created", ".deleted", ".set", ".lifted", ".removed", ".revoked", ".destroyed")
_REFUSED = (".denied", ".refused", ".raised", ".asked")
_BOM = "\ufeff"
_PARAMETERS = ("entry_id", "shard", "index", "source", "seq", "tenant_id", "reader", "call_id")


def message(entry: dict[str, Any], host: str, enterprise: int) -> bytes:
    """One entry as an RFC 5424 message: who and what as structured data, all of it as JSON in the text.

    Args:
        entry: what of it is told.
        host: the log's name.
        enterprise: the private enterprise number of the structured data.
    """
    action: str = entry["action"]
    pri = FACILITY * 8 + _severity(action)
    told = [f'{name}="{_escaped(str(entry[name]))}"' for name in _PARAMETERS if entry[name] is not None]
    data = f"[otokura@{enterprise} {' '.join(told)}]"
    head = f"<{pri}>1 {entry['time']} {_printable(host, 255)} otokura - {_printable(action, 32)} {data}"
    body = json.dumps(entry, ensure_ascii=False, separators=(",", ":"))
    return f"{head} {_BOM}{body}".encode()


def _severity(action: str) -> int:
    if action.endswith(_REFUSED):
        return _WARNING
    return _NOTICE if action.endswith(_NOTABLE) else _INFORMATIONAL


def _printable(text: str, length: int) -> str:
    """PRINTUSASCII of a length (RFC 5424 §6)."""
    return "".join(each if "!" <= each <= "~" else "?" for each in text)[:length] or "-"


def _escaped(text: str) -> str:
    """A parameter's value (RFC 5424 §6.3.3); control characters could end a line somewhere."""
    plain = "".join(each if each.isprintable() else "?" for each in text)
    return plain.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")


def framed(messages: Sequence[bytes]) -> bytes:
    """Messages one after another, each after its length in bytes."""
    return b"".join(b"%d %b" % (len(each), each) for each in messages)


def send(receiver: SyslogReceiver, data: bytes) -> None:
    """Sends one batch and waits until the receiver has read it to the end.

    Raises:
        Unavailable: it is away, is not who it should be, or has not read to the end.
    """
    url = urlsplit(receiver.url)
    try:
        with connected(url, 0) as plain:
            if url.scheme == "tcp":
                plain.sendall(data)
                plain.shutdown(socket.SHUT_WR)
                _read_to_end(plain)
                _require_taken(plain)
                return
            with _context(receiver).wrap_socket(plain, server_hostname=url.hostname) as secure:
                secure.sendall(data)
                _close(secure)
    except (OSError, ValueError) as error:
        raise Unavailable(f"The syslog receiver {receiver.name} is away: {type(error).__name__}.") from error


def _read_to_end(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


def _close(connection: ssl.SSLSocket) -> None:
    """Sends close_notify and waits for the receiver's (RFC 5425 §4.4), or for the end of the connection.

    rsyslog with gtls ends it without one. A connection that is reset is an error here as everywhere.
    """
    try:
        connection.unwrap()
    except ssl.SSLEOFError:
        _require_taken(connection)


def _require_taken(connection: socket.socket) -> None:
    """That the other side ended the connection after all had come there, and not while it was on its way.

    Raises:
        ConnectionError: some of it was never acknowledged: whoever ended the connection has not read it.
    """
    unacknowledged = array("i", [0])
    fcntl.ioctl(connection, termios.TIOCOUTQ, unacknowledged)
    if unacknowledged[0]:
        raise ConnectionError(f"The connection ended {unacknowledged[0]} bytes too early.")


def _context(receiver: SyslogReceiver) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=receiver.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if receiver.certificate_file is not None:
        context.load_cert_chain(receiver.certificate_file, receiver.key_file)
    return context
