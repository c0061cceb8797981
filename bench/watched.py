"""What the processes that a bench started cost, told apart by a word of their command lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import psutil


@dataclass
class Watched:
    """What this bench started and whose command line has the word, with its children."""

    name: str
    word: str
    _used: dict[int, float] = field(default_factory=dict[int, float])

    def _each(self, figure: Callable[[psutil.Process], float]) -> Iterator[tuple[int, float]]:
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):  # the database's backends come and go
                if self.word in " ".join(process.cmdline()):
                    yield process.pid, figure(process)

    def cpu(self) -> float:
        """CPU-seconds so far, those of processes that have ended since the last look among them."""
        self._used.update(self._each(lambda process: sum(process.cpu_times()[:2])))
        return sum(self._used.values())

    def rss(self) -> float:
        """Bytes resident."""
        return sum(size for _, size in self._each(lambda process: process.memory_info().rss))
