"""`otokura call replay`: play a phone system's recorded session to ingest, as it was sent then."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Protocol, cast
from urllib.parse import urlsplit
from uuid import UUID

from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from otokura.cli.calls.audiohook_signing import signed
from otokura.cli.calls.session import Expect, Filling, Session

_CONNECT_SECONDS = 10.0
_LINGER_SECONDS = 10.0
_EXPECT_SECONDS = 10.0
_NORMAL = 1000
_UUID_FRAME = b"\x01\x00\x10"
"""AudioSocket: what comes before the 16 bytes of a UUID."""


class ReplayError(RuntimeError):
    """The session was not taken to its end; the text says what ingest said."""


class Wire(Protocol):
    """Where messages go."""

    def send(self, message: str | bytes) -> None:
        """Send one."""
        ...

    def expect(self, members: dict[str, Any]) -> None:
        """Wait for a JSON text with these members."""
        ...


def replay(
    session: Session, url: str, filling: Filling, *, speed: float = 1.0, uuid: UUID | None = None
) -> int:
    """Send the whole session with its timing, and hang up.

    Args:
        session: what to send.
        url: the address of ingest (`http…`), or of its AudioSocket port (`tcp://host:port`).
        filling: whose call it is.
        speed: 1 is as it was.
        uuid: AudioSocket: what ingest gave out for the call, in the place of the recorded one.

    Returns:
        How many messages were sent.

    Raises:
        ReplayError: ingest refused the connection, or closed it before the end.
        SessionError: the file is broken.
        OSError: ingest cannot be reached.
    """
    sent = 0
    opened = _tcp(url) if session.header.transport == "tcp" else _websocket(session, url, filling)
    with opened as wire:
        began = time.monotonic()
        for at, message in session.messages():
            time.sleep(max(0.0, began + at / speed - time.monotonic()))
            if isinstance(message, Expect):
                wire.expect(message.expect)
                continue
            if isinstance(message, str):
                wire.send(filling.fill(message))
            else:
                wire.send(message if uuid is None or sent else _UUID_FRAME + uuid.bytes)
            sent += 1
    return sent


@contextmanager
def _websocket(session: Session, url: str, filling: Filling) -> Generator[Wire]:
    header = session.header
    where = url.replace("http", "ws", 1).rstrip("/") + filling.fill(header.path)
    headers = {name: filling.fill(value) for name, value in header.headers.items()}
    if header.signed:
        if filling.client_secret is None:
            raise ReplayError("this session signs its handshake: give --client-secret")
        headers = signed(where, headers, filling.client_secret)
    protocols = [Subprotocol(name) for name in header.subprotocols] or None
    try:
        with connect(
            where,
            additional_headers=headers,
            subprotocols=protocols,
            compression=None,
            proxy=None,
            open_timeout=_CONNECT_SECONDS,
            close_timeout=_LINGER_SECONDS,
            max_queue=None,  # what ingest says is read where it is waited for: it must not hold anything up
        ) as opened:
            yield _WebSocket(opened)
            opened.close()
            _check(opened)
    except InvalidHandshake as refused:
        raise ReplayError(f"ingest refuses the connection: {refused}") from None


def _check(opened: ClientConnection) -> None:
    """Whether the connection ended in agreement."""
    code = opened.close_code
    if code is not None and code != _NORMAL:
        raise ReplayError(f"ingest closed the connection with {code}: {opened.close_reason or 'no reason'}")


class _WebSocket:
    """A WebSocket that says why it was closed."""

    def __init__(self, opened: ClientConnection) -> None:
        self._socket = opened

    def send(self, message: str | bytes) -> None:
        try:
            self._socket.send(message)
        except ConnectionClosed:
            _check(self._socket)  # it has understood the end, if it closed normally

    def expect(self, members: dict[str, Any]) -> None:
        try:
            while True:
                told: object = json.loads(self._socket.recv(timeout=_EXPECT_SECONDS))
                if isinstance(told, dict) and members.items() <= cast("dict[str, Any]", told).items():
                    return
        except TimeoutError:
            raise ReplayError(f"ingest did not say {members} within {_EXPECT_SECONDS:g} seconds") from None
        except ConnectionClosed:
            _check(self._socket)
            raise ReplayError(f"ingest closed the connection without saying {members}") from None


@contextmanager
def _tcp(url: str) -> Generator[Wire]:
    where = urlsplit(url)
    if where.scheme != "tcp" or where.hostname is None or where.port is None:
        raise ReplayError("a session over TCP needs --url tcp://host:port")
    with socket.create_connection((where.hostname, where.port), timeout=_CONNECT_SECONDS) as opened:
        yield _Tcp(opened)
        opened.shutdown(socket.SHUT_WR)
        opened.settimeout(_LINGER_SECONDS)
        while opened.recv(4096):  # until ingest has read everything and closes
            continue


class _Tcp:
    """A TCP connection, on which ingest says nothing."""

    def __init__(self, opened: socket.socket) -> None:
        self._socket = opened

    def send(self, message: str | bytes) -> None:
        self._socket.sendall(message.encode() if isinstance(message, str) else message)

    def expect(self, members: dict[str, Any]) -> None:
        raise ReplayError(f"nothing can be waited for over TCP: {members}")
