"""Which refusals become entries: whoever guesses leaves a trace, and cannot flood the log."""

from __future__ import annotations

import time
from collections import OrderedDict
from uuid import UUID

_QUIET_SECONDS = 60.0
_MAX_REMEMBERED = 4096


class RefusalThrottle:
    """Lets one refusal of a client from an address become an entry each minute; the rest is counted.

    Whoever guesses secrets must leave a trace, and must not be able to flood the log.
    """

    def __init__(self) -> None:
        self._written: OrderedDict[tuple[UUID | None, str], tuple[float, int]] = OrderedDict()

    def admits(self, client_id: UUID, address: str) -> bool:
        """Whether to write this one down."""
        return self.counted(client_id, address) > 0

    def counted(self, client_id: UUID | None, address: str) -> int:
        """For how many refusals an entry is to be written now: this one and those left out before; or none.

        None as the client is everybody who does not exist.
        """
        key, now = (client_id, address), time.monotonic()
        written, left_out = self._written.get(key, (float("-inf"), 0))
        if now - written < _QUIET_SECONDS:
            self._written[key] = (written, left_out + 1)
            return 0
        self._written[key] = (now, 0)
        self._written.move_to_end(key)
        if len(self._written) > _MAX_REMEMBERED:
            self._written.popitem(last=False)
        return left_out + 1
