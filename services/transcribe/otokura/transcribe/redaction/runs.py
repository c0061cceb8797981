"""Runs: numerals that are said one after another, over pauses, fillers and the turns of one channel."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from otokura.transcribe.redaction.folding import fold
from otokura.transcribe.redaction.numerals import DOUBTFUL, Atom, atoms

LONGEST = 19
"""Digits of the longest number there is (ISO/IEC 7812-1: card numbers)."""
_LONGEST_GAP = 24
TURN_END = "\n"
"""Between neighbouring turns of a channel in its stream's text."""

_FILLERS = (
    *(
        "です",
        "ですね",
        "でして",
        "になります",
        "はい",
        "ええ",
        "ええと",
        "えーと",
        "えっと",
        "えと",
        "あの",
        "あのー",
    ),
    *(
        "うん",
        "うーん",
        "それで",
        "それから",
        "次が",
        "次に",
        "次は",
        "続いて",
        "最後に",
        "最後が",
        "最後の",
        "最後は",
        "そして",
        "あと",
        "で",
        "の",
        "ハイフン",
        "えー",
        "と",
    ),
    *(
        "um",
        "uh",
        "er",
        "erm",
        "and",
        "then",
        "yes",
        "yeah",
        "okay",
        "ok",
        "so",
        "it's",
        "it is",
        "next",
        "that's",
        "finally",
        "lastly",
        "last",
    ),
    *("dash", "hyphen", "space", "comma", "plus", "right", "sure", "is"),
)
_FILLER = "|".join(re.escape(fold(filler)) for filler in sorted(_FILLERS, key=len, reverse=True))
_KANA = re.compile(r"[ぁ-ゖー]+")
_GAP = re.compile(rf"(?:[\s\-‐‑‒–—―−ー~〜.,、。・/()（）\[\]「」:…·]|{_FILLER})*")


@dataclass(frozen=True, slots=True)
class Window:
    """Some atoms of a run, next to each other."""

    atoms: tuple[Atom, ...]
    before: int
    after: int
    """How clearly what is said is cut at both ends: 0 not at all, 1 a pause, 2 a turn, 3 by other words."""
    first: int = 0
    """The number of its first atom in the run."""

    @property
    def digits(self) -> str:
        """What was said."""
        return "".join(atom.digits for atom in self.atoms)

    @property
    def start(self) -> int:
        """The first character."""
        return self.atoms[0].start

    @property
    def end(self) -> int:
        """The character after the last."""
        return self.atoms[-1].end

    @property
    def whole(self) -> bool:
        """Whether other words, or turns, stand at both ends."""
        return min(self.before, self.after) > 1

    @property
    def cut(self) -> bool:
        """Whether it is said apart: other words or another turn at one end, a pause at least at the other."""
        return min(self.before, self.after) > 0 and max(self.before, self.after) > 1

    @property
    def groups(self) -> list[int]:
        """The lengths of the groups in which Arabic numerals are written; of spoken digits, one group."""
        if all(len(atom.digits) == 1 for atom in self.atoms) or not any(atom.written for atom in self.atoms):
            return [len(self.digits)]
        return [len(atom.digits) for atom in self.atoms]


@dataclass(frozen=True, slots=True)
class Run:
    """All atoms between which nothing but pauses and fillers lies."""

    atoms: tuple[Atom, ...]
    cuts: tuple[int, ...]
    """As `Window.before`, at each of the len(atoms) + 1 places between atoms."""


class Search:
    """Looks for numbers in a run: every row of atoms with so many digits, none of which was taken before."""

    def __init__(self, run: Run) -> None:
        self._atoms = run.atoms
        self._cuts = list(run.cuts)
        self._taken = [False] * len(run.atoms)

    def windows(self, shortest: int, longest: int = LONGEST) -> Iterator[Window]:
        """The most clearly cut first, then the longest."""
        spans = list(self._spans(shortest, longest))
        spans.sort(key=lambda one: (-min(self._cuts[one[0]], self._cuts[one[1] + 1]), -one[2], one[0]))
        for first, last, _ in spans:
            if not any(self._taken[first : last + 1]):
                atoms = self._atoms[first : last + 1]
                yield Window(atoms, self._cuts[first], self._cuts[last + 1], first)

    def take(self, window: Window) -> None:
        """Leaves a window's atoms out from here on; what is beside it is clearly cut from it."""
        last = window.first + len(window.atoms)
        self._taken[window.first : last] = [True] * len(window.atoms)
        self._cuts[window.first] = self._cuts[last] = 3

    def _spans(self, shortest: int, longest: int) -> Iterator[tuple[int, int, int]]:
        for first in range(len(self._atoms)):
            length = 0
            for last in range(first, len(self._atoms)):
                length += len(self._atoms[last].digits)
                if length > longest or self._taken[last]:
                    break
                if length >= shortest:
                    yield first, last, length


def runs(text: str) -> list[Run]:
    """The runs of a stream's text."""
    folded = fold(text)
    found: list[list[Atom]] = []
    row: list[Atom] = []
    for atom in atoms(folded):
        if row and not _joined(folded[row[-1].end : atom.start]):
            found.append(row)
            row = []
        row.append(atom)
    trimmed = (_trimmed(text, folded, one) for one in [*found, row])
    return [_run(text, folded, one) for one in trimmed if one]


def _trimmed(text: str, folded: str, row: Sequence[Atom]) -> list[Atom]:
    """The row without particles at its ends (5678に, でし) that are numerals only among their like."""
    row = list(row)
    while row and _particle(text, row[0]) and not _kana(folded, row[1:2]):
        row.pop(0)
    while row and _particle(text, row[-1]) and not _kana(folded, row[-2:-1]):
        row.pop()
    return row


def _particle(text: str, atom: Atom) -> bool:
    """Whether it may be one: in hiragana, as particles are written."""
    return text[atom.start : atom.end] in DOUBTFUL


def _kana(folded: str, atoms: Sequence[Atom]) -> bool:
    return all(_KANA.fullmatch(folded[atom.start : atom.end]) for atom in atoms) and len(atoms) > 0


def _joined(gap: str) -> bool:
    return len(gap) <= _LONGEST_GAP and _GAP.fullmatch(gap) is not None


def _run(text: str, folded: str, row: Sequence[Atom]) -> Run:
    cuts = [3, *(_cut(folded[one.end : two.start]) for one, two in pairwise(row)), 3]
    # はちに: eight, two, or eight and a particle. A number may end before it.
    if len(row) > 1 and _particle(text, row[0]):
        cuts[1] = max(cuts[1], 2)
    if len(row) > 1 and _particle(text, row[-1]):
        cuts[-2] = max(cuts[-2], 2)
    return Run(tuple(row), tuple(cuts))


def _cut(gap: str) -> int:
    if TURN_END in gap:
        return 2
    return 0 if gap.strip() == "" else 1
