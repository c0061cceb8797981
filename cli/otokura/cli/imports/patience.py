"""Trying again: what passes by itself is waited for, what does not is raised at once."""

from __future__ import annotations

import threading
from http import HTTPStatus

import httpx

from otokura.cli.api.http import ApiError

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0, 30.0, 30.0)
"""Seconds between attempts that get nowhere: three minutes in sum."""
_CHECKSUM_MISMATCH = 460
_PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.LOCKED, HTTPStatus.TOO_MANY_REQUESTS, _CHECKSUM_MISMATCH}
_OVERTAKEN = {"wrong-offset", "upload-taken-over"}
"""An earlier request, thought dead, was still heard: the offset tells how far."""


class StoppedError(Exception):
    """Somebody asked to stop; what was done is noted."""


class Patience:
    """How often something was tried in vain.

    Args:
        stop: set from outside to stop soon.
    """

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._failures = 0

    def progressed(self) -> None:
        """It got further: everything before is forgotten."""
        self._failures = 0

    def check(self) -> None:
        """Whether to go on.

        Raises:
            StoppedError: no.
        """
        if self._stop.is_set():
            raise StoppedError

    def bear(self, error: ApiError | httpx.TransportError, *, also: frozenset[int] = frozenset()) -> None:
        """Wait until it is worth another try.

        Args:
            error: what happened.
            also: statuses that pass here, beside those that pass everywhere.

        Raises:
            ApiError, httpx.TransportError: the error, where waiting does not help, or has not.
            StoppedError: meanwhile somebody asked to stop.
        """
        status = error.status if isinstance(error, ApiError) else None
        asked = error.retry_after if isinstance(error, ApiError) else None
        if status != HTTPStatus.TOO_MANY_REQUESTS:  # a limit is no failure: there is more when it says so
            self._failures += 1
        if not _passes(error, also) or self._failures > len(PAUSES):
            raise error
        self._stop.wait(PAUSES[max(self._failures - 1, 0)] if asked is None else asked)
        self.check()


def _passes(error: ApiError | httpx.TransportError, also: frozenset[int]) -> bool:
    if not isinstance(error, ApiError):
        return True
    by_itself = error.status >= HTTPStatus.INTERNAL_SERVER_ERROR or error.status in _PASSING
    return by_itself or error.code in _OVERTAKEN or error.status in also
