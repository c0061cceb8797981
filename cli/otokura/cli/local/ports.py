"""Free TCP ports on 127.0.0.1, below the range from which the kernel gives ports to outgoing connections."""

from __future__ import annotations

import json
import random
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

PUBLIC: Sequence[int] = range(20_000, 26_000)
INTERNAL: Sequence[int] = range(26_000, 32_000)
_RANDOM = random.SystemRandom()
_given: set[int] = set()


def is_free(port: int) -> bool:
    """Whether nobody listens there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def becomes_free(port: int, seconds: float = 15.0) -> bool:
    """Whether nobody listens there, or soon nobody does.

    What a killed server had just started may hold its socket a moment longer than the server.
    """
    deadline = time.monotonic() + seconds
    while not is_free(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def free_ports(count: int, *, internal: bool = False) -> list[int]:
    """`count` different ports that are free now. Who binds last loses: start soon, and retry.

    None is given twice before all others were, for whoever was given it may not have bound it yet.

    Args:
        count: how many.
        internal: for a server's own use. They come from another range, so that they never take a port
            that was chosen for something else and is not in use yet.
    """
    choices = INTERNAL if internal else PUBLIC
    found: list[int] = []
    with ExitStack() as held:
        while len(found) < count:
            if _given.issuperset(choices):
                _given.difference_update(choices)
            port = _RANDOM.choice([port for port in choices if port not in _given])
            _given.add(port)
            probe = held.enter_context(socket.socket())
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found.append(port)
    return found


def choose_ports(names: Sequence[str], *, given: Mapping[str, int], remembered: Path) -> dict[str, int]:
    """A port for each name: the one given, else that of the last run if it is free, else another.

    Args:
        names: who needs a port.
        given: the ports that were asked for.
        remembered: JSON file that keeps the choice.

    Raises:
        ValueError: a name that is not in `names`, or a given port that is taken.
    """
    if unknown := sorted(set(given) - set(names)):
        raise ValueError(f"no port is called {', '.join(unknown)}: choose from {', '.join(names)}")
    if taken := [f"{name}={port}" for name, port in given.items() if not is_free(port)]:
        raise ValueError(f"somebody already listens on {', '.join(taken)}")
    last: dict[str, int] = json.loads(remembered.read_text()) if remembered.exists() else {}
    others = iter(free_ports(len(names)))
    ports = {
        name: given.get(name) or (last[name] if name in last and is_free(last[name]) else next(others))
        for name in names
    }
    remembered.write_text(json.dumps(ports, indent=2) + "\n")
    return ports
