"""Parts of a number that somebody says again: an agent who repeats what is dictated, half by half."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from otokura.shared.redactions import RedactionKind
from otokura.transcribe.redaction.found import Found
from otokura.transcribe.redaction.runs import Run, Search, Window

NEAR_TURNS = 4
_SHORTEST = 3
"""Digits: 090 is as little as anybody repeats."""
_ANYWHERE = 6
"""So many digits in the number's order are the number's, however far away."""
_LONGEST = 24
_NUMBER = 9
"""Shorter numbers are not dictated in parts."""


def echoes(run: Run, known: Iterable[tuple[str, RedactionKind, bool]]) -> Iterator[Found]:
    """The whole run, or the clearly cut parts of it, that say a part of a known number again.

    Args:
        run: numerals in which nothing was found.
        known: digits and kind of each number found in the call, and whether it was said near the run.
    """
    numbers = [one for one in known if len(one[0]) >= _NUMBER]
    search = Search(run)
    for window in search.windows(_SHORTEST, _LONGEST):
        said_again = (
            kind for digits, kind, near in numbers if window.digits in digits and _tells(window, near=near)
        )
        kind = next(said_again, None)
        if kind is not None:
            search.take(window)
            yield Found(kind, window.start, window.end, window.digits)


def _tells(window: Window, *, near: bool) -> bool:
    """Whether it is no accident that the digits are the number's."""
    return len(window.digits) >= (_SHORTEST if near and window.whole else _ANYWHERE)
