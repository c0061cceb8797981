"""Free TCP ports on 127.0.0.1, below the range from which the kernel gives ports to outgoing connections."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack

_FIRST, _LAST = 20_000, 32_000
_RANDOM = random.SystemRandom()


def is_free(port: int) -> bool:
    """Whether nobody listens there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """`count` different ports that are free now. Who binds last loses: start soon, and retry."""
    found: list[int] = []
    with ExitStack() as held:
        while len(found) < count:
            port = _RANDOM.randrange(_FIRST, _LAST)
            probe = held.enter_context(socket.socket())
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found.append(port)
    return found
