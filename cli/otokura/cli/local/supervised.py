"""Starting again what died, more slowly each time that it dies soon."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from otokura.cli.local.program import Program, StartError

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_STEADY_SECONDS = 60.0


class Startable(Protocol):
    """A server or a service."""

    @property
    def program(self) -> Program:
        """Its process."""
        ...

    def stop(self) -> None:
        """Stop it in order."""
        ...


class Supervised:
    """Something that must run.

    Args:
        name: what to call it.
        target: what runs.
        start: starts it again; may wait until it is ready, or not.
    """

    def __init__(self, name: str, target: Startable, start: Callable[[], None]) -> None:
        self.name = name
        self.target = target
        self.wanted = False
        self.restarts = 0
        self._start = start
        self._pause = _FIRST_PAUSE
        self._started_at = 0.0
        self._retry_at: float | None = None

    def started(self) -> None:
        """It was started and is to be kept running."""
        self.wanted = True
        self._started_at = time.monotonic()
        self._retry_at = None

    def stop(self) -> None:
        """Stop it for good."""
        self.wanted = False
        self.target.stop()

    def check(self) -> str | None:
        """Start it again if it died and its pause is over; says what happened, `None` if nothing did."""
        if not self.wanted or self.target.program.running:
            return None
        now = time.monotonic()
        if self._retry_at is None:
            steady = now - self._started_at > _STEADY_SECONDS
            self._pause = _FIRST_PAUSE if steady else min(self._pause * 2, _LONGEST_PAUSE)
            self._retry_at = now + self._pause
            code = self.target.program.returncode
            return f"{self.name} ended ({code}), starting it again in {self._pause:.0f} s"
        if now < self._retry_at:
            return None
        self.restarts += 1
        try:
            self._start()
        except StartError as error:
            self._retry_at = None
            return f"{self.name} did not start: {error}"
        self.started()
        return f"{self.name} runs again"
