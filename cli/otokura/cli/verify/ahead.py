"""Reading ahead: while a file is looked at, the next few are on their way. Few, so that memory stays flat."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

AHEAD = 8
"""Files on their way or waiting: of a hostile server each may have 16 MB."""


def in_order(fetches: Iterable[Callable[[], T]], threads: int) -> Generator[Callable[[], T]]:
    """For each fetch, in order, what gives its result or raises its error; close it to stop early.

    Args:
        fetches: what to do; taken one by one, at most `AHEAD` before their turn.
        threads: how many to do at a time; 0: none ahead, each when its result is asked for.
    """
    if not threads:
        yield from fetches
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="ahead") as pool:
        waiting: deque[Future[T]] = deque()
        try:
            for fetch in fetches:
                waiting.append(pool.submit(fetch))
                if len(waiting) >= AHEAD:
                    yield waiting.popleft().result
            while waiting:
                yield waiting.popleft().result
        finally:
            for future in waiting:
                future.cancel()
