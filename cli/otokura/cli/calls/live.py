"""Streaming a file as if it were being spoken: at its own pace, resuming where the server had got to.

The messages are those of ingest's raw stream: it says how many samples it has stored; what was sent beyond
them is sent again on the next connection.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from otokura.cli.calls.wav import Wav

_CHUNK_SECONDS = 0.1
_FINAL_SECONDS = 60.0
_PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0)
"""Seconds between attempts that get nowhere; progress begins them anew."""

_APPLICATION_CODES = 4000
_RETRY = {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS}


class StreamError(RuntimeError):
    """The call cannot be streamed to its end."""


@dataclass(frozen=True)
class Where:
    """The call's stream on the network: `ws://…/v1/calls/<id>/stream` and the headers to open it with."""

    url: str
    headers: dict[str, str]


def stream_live(
    where: Where, wav: Wav, *, speed: float = 1.0, progress: Callable[[int], None] = lambda _: None
) -> int:
    """Stream the whole file.

    Args:
        where: the call's stream.
        wav: what to send.
        speed: 1 is the pace of speech.
        progress: gets the samples (of one channel) stored so far.

    Returns:
        How many connections it took.

    Raises:
        StreamError: ingest refuses, or cannot be reached for too long.
    """
    url = f"{where.url}?encoding={wav.encoding}&rate={wav.rate}&channels={wav.channels}"
    connections, failures, stored = 0, 0, 0
    interruption: Exception | None = None
    while True:
        connections += 1
        session = _Session(wav, speed, progress)
        try:
            with connect(url, additional_headers=where.headers, proxy=None, max_queue=None) as socket:
                if session.run(socket):
                    return connections
        except InvalidStatus as error:
            if error.response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
                raise StreamError(f"ingest refuses the stream: {error}") from None
            interruption = error
        except (WebSocketException, OSError) as error:
            interruption = error
        failures = 0 if session.stored > stored else failures + 1
        stored = max(stored, session.stored)
        if failures > len(_PAUSES):
            raise StreamError(f"ingest cannot be reached: {interruption}")
        time.sleep(_PAUSES[max(failures - 1, 0)])


class _Session:
    """One connection, from what is stored to the end or to an interruption."""

    def __init__(self, wav: Wav, speed: float, progress: Callable[[int], None]) -> None:
        self.stored = 0
        self._wav = wav
        self._speed = speed
        self._progress = progress
        self._final = False

    def run(self, socket: ClientConnection) -> bool:
        """Send the rest; True when the server has stored all of it.

        Raises:
            ConnectionClosed: interrupted, try again.
            StreamError: refused.
        """
        try:
            self._take(socket.recv(timeout=_FINAL_SECONDS))
            self._send_from(socket, self.stored)
            socket.send('{"type":"end"}')
            while not self._final:
                self._take(socket.recv(timeout=_FINAL_SECONDS))
        except ConnectionClosed as closed:
            self._raise_if_refused(closed)
            raise
        return self.stored >= self._wav.samples

    def _send_from(self, socket: ClientConnection, sample: int) -> None:
        chunk = max(1, int(self._wav.rate * _CHUNK_SECONDS)) * self._wav.frame_bytes
        began, sent = time.monotonic(), 0
        with self._wav.path.open("rb") as file:
            file.seek(self._wav.start + sample * self._wav.frame_bytes)
            left = self._wav.size - sample * self._wav.frame_bytes
            while left > 0:
                data = file.read(min(chunk, left))
                if not data:
                    raise StreamError(f"{self._wav.path} became shorter while it was read")
                socket.send(data)
                left -= len(data)
                sent += len(data)
                due = began + sent / self._wav.frame_bytes / self._wav.rate / self._speed
                self._listen_until(socket, due)

    def _listen_until(self, socket: ClientConnection, due: float) -> None:
        """Take what the server says until it is time for the next chunk."""
        while True:
            try:
                self._take(socket.recv(timeout=max(0.0, due - time.monotonic())))
            except TimeoutError:
                return

    def _take(self, text: str | bytes) -> None:
        message: dict[str, Any] = json.loads(text)
        if message["type"] == "error":
            self._refuse(message["problem"])
            return
        self.stored = int(message["accepted_samples"])
        self._final = bool(message.get("final"))
        self._progress(self.stored)

    def _refuse(self, problem: dict[str, Any]) -> None:
        status = int(problem.get("status", 0))
        if status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in _RETRY:
            raise StreamError(str(problem.get("detail") or problem.get("title")))

    def _raise_if_refused(self, closed: ConnectionClosed) -> None:
        code = closed.rcvd.code if closed.rcvd is not None else 0
        status = code - _APPLICATION_CODES
        if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in _RETRY:
            raise StreamError(f"ingest closed the stream with {code}") from closed
