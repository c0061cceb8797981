"""Text as it is compared, the pieces by which it is indexed, and where a phrase stands in it.

Folded text has no case, width or punctuation, and no difference between katakana and hiragana. A space stays
where it separates words of a script that is written with spaces; elsewhere there is none, so that `東京、駅`
is found as `東京駅`. An apostrophe, and the comma in a number, are as if they were not written.

The pieces are of three characters; of two where one of the first two is of a script that is written without
spaces (ADR 0030 has the measurement). Whatever stands in a text has its pieces among those of the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

# Kana, kanji and what is written among them; Thai, Lao, Khmer and Burmese are written without spaces, too.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3031-\u3035\u303b\u303c\u3041-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_PIECES = re.compile(f"(?=([{_UNSPACED}].|.[{_UNSPACED}]|...))", re.DOTALL)
_RUN = re.compile(r"[^ ,]+")
_MARK = re.compile(r"[\uff9e\uff9f]")
"""The half-width voicing marks, which are letters to Unicode."""
_APOSTROPHES = frozenset("'’‘`´ʼ")
_HIRAGANA = {code: code - 0x60 for code in (*range(0x30A1, 0x30F7), 0x30FD, 0x30FE)}


@dataclass(frozen=True, slots=True)
class Folded:
    """A folded text, and for each of its characters the [start, end) of what it was made from."""

    text: str
    starts: list[int]
    ends: list[int]

    def find(self, phrase: str) -> Iterator[tuple[int, int]]:
        """Where a folded phrase stands in the text as it was before: [start, end), none overlapping."""
        at = self.text.find(phrase)
        while at >= 0:
            stop = at + len(phrase)
            yield self.starts[at], self.ends[stop - 1]
            at = self.text.find(phrase, stop)


def fold(text: str) -> str:
    """The text as it is compared."""
    return "".join(piece for piece, _ in _runs("".join(map(_folded, _characters(text)))))


def fold_with_places(text: str) -> Folded:
    """The same, with the place of each character."""
    folded: list[str] = []
    places: list[tuple[int, int]] = []
    start = 0
    for character in _characters(text):
        piece = _folded(character)
        folded.append(piece)
        places.extend([(start, start + len(character))] * len(piece))
        start += len(character)
    pieces: list[str] = []
    kept: list[tuple[int, int]] = []
    for piece, at in _runs("".join(folded)):
        pieces.append(piece)
        kept.extend(places[at : at + len(piece)])
    return Folded("".join(pieces), [place[0] for place in kept], [place[1] for place in kept])


def pieces(folded: str) -> set[str]:
    """The pieces by which a folded text is indexed; none where it is too short to have one."""
    return set(_PIECES.findall(folded))


def _characters(text: str) -> Iterable[str]:
    """Characters with the marks that belong to them."""
    if not any(map(_belongs_to_the_last, set(text))):
        return text
    starts = [at for at, one in enumerate(text) if at == 0 or not _belongs_to_the_last(one)]
    return [text[start:stop] for start, stop in pairwise([*starts, len(text)])]


@lru_cache(maxsize=16_384)
def _belongs_to_the_last(character: str) -> bool:
    return unicodedata.category(character).startswith("M") or _MARK.match(character) is not None


@lru_cache(maxsize=16_384)
def _folded(character: str) -> str:
    """What is compared of a character: letters, digits and their marks; ` ` or `,` for anything else."""
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", character).casefold())
    return "".join(_kept(one) for one in plain.translate(_HIRAGANA))


def _kept(character: str) -> str:
    if character.isalnum() or unicodedata.category(character).startswith("M"):
        return character
    if character in _APOSTROPHES:
        return ""
    return "," if character == "," else " "


def _runs(joined: str) -> Iterator[tuple[str, int]]:
    """The runs of letters, with a space between two where it counts; and where each begins in `joined`."""
    before = ""
    end = 0
    for run in _RUN.finditer(joined):
        text = run.group()
        if before:
            gap = joined[end : run.start()]
            in_number = gap == "," and before.isdigit() and text[0].isdigit()
            if not in_number and not _IS_UNSPACED.match(before) and not _IS_UNSPACED.match(text):
                yield " ", end
        yield text, run.start()
        before, end = text[-1], run.end()
