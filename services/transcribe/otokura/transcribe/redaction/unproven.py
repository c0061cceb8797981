"""Rows of digits in which no number was recognised: redacted too, unless it is plain that they are harmless.

A number that was misheard passes no check and has the wrong length, yet most of it can be read. Dictated
digits that are nobody's (an order's number) are called so; amounts, dates and times are said as such.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from otokura.shared.redactions import RedactionKind
from otokura.transcribe.redaction.amounts import counted, dated, with_places
from otokura.transcribe.redaction.cues import Cue
from otokura.transcribe.redaction.found import Found
from otokura.transcribe.redaction.numbers import CueOf
from otokura.transcribe.redaction.runs import Run, Window

_SHORTEST = 5
"""Years and times have four digits."""
_SHORTEST_ASKED_FOR = 4
"""Of what was asked for by name, and what of it was understood."""
_SHORTEST_BESIDE = 2
"""Of what is said in one row with a number that was found: its last digits, a card's month, year and code."""
_ASKED_FOR = frozenset((Cue.CARD_NUMBER, Cue.MY_NUMBER, Cue.ACCOUNT_NUMBER, Cue.PHONE_NUMBER, Cue.POSTAL))


def unproven(runs: Iterable[Run], taken: bytes | bytearray, cue_of: CueOf, text: str) -> Iterator[Found]:
    """What may be a number of somebody's in that of a stream's runs in which none was found.

    Args:
        runs: of the stream.
        taken: for each character of the stream, whether it was found to be of a kind.
        cue_of: what a window is called where it stands.
        text: the stream's.
    """
    for run in runs:
        for window in _left(run, taken):
            beside = len(window.atoms) < len(run.atoms)
            if _may_be_somebodys(window, cue_of, text, beside=beside):
                yield Found(RedactionKind.NUMBER, window.start, window.end, window.digits)


def _left(run: Run, taken: bytes | bytearray) -> Iterator[Window]:
    """Every row of atoms between two that were taken."""
    first = 0
    for found, some in groupby(any(taken[atom.start : atom.end]) for atom in run.atoms):
        last = first + len(list(some))
        if not found:
            yield Window(run.atoms[first:last], run.cuts[first], run.cuts[last], first)
        first = last


def _may_be_somebodys(window: Window, cue_of: CueOf, text: str, *, beside: bool) -> bool:
    digits = len(window.digits)
    if digits < (_SHORTEST_BESIDE if beside else _SHORTEST_ASKED_FOR) or counted(window, text):
        return False
    cue = cue_of(window)
    if cue is Cue.HARMLESS:
        return False
    if beside or cue in _ASKED_FOR:
        return True
    return digits >= _SHORTEST and (cue is not None or not (with_places(window, text) or dated(window, text)))
