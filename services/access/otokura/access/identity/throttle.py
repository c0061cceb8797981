"""Which refusals become entries: whoever guesses leaves a trace, and cannot flood the log."""

from __future__ import annotations

import time
from collections import OrderedDict
from uuid import UUID

_QUIET_SECONDS = 60.0
_MAX_REMEMBERED = 4096


class RefusalThrottle:
    """Lets one refusal of a client from an address become an entry each minute; the rest is counted."""

    def __init__(self) -> None:
        self._written: OrderedDict[tuple[UUID, str], float] = OrderedDict()

    def admits(self, client_id: UUID, address: str) -> bool:
        """Whether to write this one down."""
        key, now = (client_id, address), time.monotonic()
        if now - self._written.get(key, float("-inf")) < _QUIET_SECONDS:
            return False
        self._written[key] = now
        self._written.move_to_end(key)
        if len(self._written) > _MAX_REMEMBERED:
            self._written.popitem(last=False)
        return True
