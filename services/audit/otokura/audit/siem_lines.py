"""Connections to receivers: each ends in time, however slowly its other side goes on."""

from __future__ import annotations

import socket
from collections.abc import Generator
from contextlib import contextmanager, suppress
from threading import Event, Timer
from urllib.parse import SplitResult

SECONDS = 10.0
"""For connecting, and for each read and write."""
SECONDS_IN_ALL = 60.0
"""For a connection: each byte that comes would let another read wait as long as the first."""


@contextmanager
def connected(url: SplitResult, port: int) -> Generator[socket.socket]:
    """A connection to the host of an address; blocking, also once it is wrapped in TLS.

    Args:
        url: whose host.
        port: where the address names none.

    Raises:
        OSError: nobody is there; `TimeoutError` also when it was not done with in time.
    """
    with (
        socket.create_connection((str(url.hostname), url.port or port), timeout=SECONDS) as line,
        line.dup() as same,  # TLS takes the other one over
    ):
        late = Event()

        def end() -> None:
            late.set()
            with suppress(OSError):
                same.shutdown(socket.SHUT_RDWR)

        timer = Timer(SECONDS_IN_ALL, end)
        timer.daemon = True
        timer.start()
        try:
            yield line
        finally:
            timer.cancel()
            timer.join()
        if late.is_set():
            # To who reads, an end that we make looks like one that the receiver makes.
            raise TimeoutError
