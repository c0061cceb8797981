"""How much of something costly one tenant, reader or network may do at once, in this process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Hashable
from contextlib import contextmanager

from otokura.shared.errors import TooManyRequests


class Places:
    """Places, so many for each who takes them; nobody waits for one.

    Args:
        each: how many.
    """

    def __init__(self, each: int) -> None:
        self._each = each
        self._taken: Counter[Hashable] = Counter()

    @contextmanager
    def take(self, who: Hashable, detail: str, seconds: int) -> Generator[None]:
        """A place while something is done.

        Args:
            who: takes it.
            detail: what they are told if they have no more.
            seconds: when they may ask again.

        Raises:
            TooManyRequests: they have no more.
        """
        if self._taken[who] >= self._each:
            raise TooManyRequests(detail, headers={"Retry-After": str(seconds)})
        self._taken[who] += 1
        try:
            yield
        finally:
            self._taken[who] -= 1
            if not self._taken[who]:
                del self._taken[who]

    def __len__(self) -> int:
        """How many there are who have one."""
        return len(self._taken)
