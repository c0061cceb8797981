"""A reader who takes what is sent so slowly that the service must wait."""

from __future__ import annotations

import socket
from urllib.parse import urlparse

from access_service import Access


def slow_reader(access: Access) -> socket.socket:
    """A connection whose receive buffer is so small that the service must wait for us."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(30)
    url = urlparse(access.url)
    connection.connect((url.hostname, url.port))
    return connection
