"""Spoken and written numerals, Japanese and English, as atoms: digits with the characters that said them.

A speaker says a long number digit by digit (ゼロキュウゼロ, "oh two double seven"), in pairs ("twenty three")
or with place values (二十三). All texts here are folded (`otokura.transcribe.redaction.folding`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

JAPANESE = {
    **dict.fromkeys(("ぜろ", "れい", "れー", "まる", "零", "〇", "○", "◯", "丸"), "0"),
    **dict.fromkeys(("いち", "いーち", "一", "壱"), "1"),
    **dict.fromkeys(("にい", "にー", "に", "二", "弐"), "2"),
    **dict.fromkeys(("さん", "さーん", "三", "参"), "3"),
    **dict.fromkeys(("よん", "よー", "しー", "し", "四"), "4"),
    **dict.fromkeys(("ごー", "ごお", "ご", "五"), "5"),
    **dict.fromkeys(("ろく", "ろっ", "六"), "6"),
    **dict.fromkeys(("なな", "しち", "七"), "7"),
    **dict.fromkeys(("はち", "はっ", "八"), "8"),
    **dict.fromkeys(("きゅう", "きゅー", "きゅ", "くー", "く", "九"), "9"),
}
DOUBTFUL = frozenset(("に", "し", "ご", "く"))
"""More often particles than numerals: at the end of a run, next to another script, no part of it."""
PLACES = {
    **dict.fromkeys(("じゅう", "じゅっ", "十"), 10),
    **dict.fromkeys(("ひゃく", "びゃく", "ぴゃく", "ひゃっ", "百"), 100),
    **dict.fromkeys(("せん", "ぜん", "千"), 1000),
}
_BARE_PLACES = {"十", "百", "千"}
_UNITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEENS = (
    *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    "nineteen",
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
UNITS = {word: str(n) for n, word in enumerate(_UNITS)} | dict.fromkeys(("oh", "o", "nought", "naught"), "0")
TEENS = {word: str(n) for n, word in enumerate(_TEENS, start=10)}
TENS = {word: str(10 * n) for n, word in enumerate(_TENS, start=2)} | {"fourty": "40"}
REPEATS = {"double": 2, "triple": 3, "treble": 3}
HUNDRED, THOUSAND = "hundred", "thousand"

# ニイチ is 2, 1 and ニイ is 2; 五億 has no 9 in it. Longer readings come first.
_NOT_BEFORE = {"にい": "(?!ち)", "ごお": "(?!く)"}


def _either(words: Sequence[str]) -> str:
    longest_first = sorted(words, key=lambda word: (-len(word), word))
    return "|".join(re.escape(word) + _NOT_BEFORE.get(word, "") for word in longest_first)


_ENGLISH = [*UNITS, *TEENS, *TENS, *REPEATS, HUNDRED, THOUSAND]
_TOKEN = re.compile(
    rf"(?P<written>[0-9]+)|(?P<japanese>{_either(list(JAPANESE))})|(?P<place>{_either(list(PLACES))})"
    rf"|(?<![a-z0-9'])(?P<english>{_either(_ENGLISH)})(?![a-z'])"
)
_SAID_TOGETHER = re.compile(r"[ -]?")
_LONGEST_NUMBER = 19


@dataclass(frozen=True, slots=True)
class Atom:
    """Digits that belong together, and the characters [start, end) that said them."""

    digits: str
    start: int
    end: int
    written: bool = False
    """In Arabic numerals."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


def atoms(folded: str) -> list[Atom]:
    """Every numeral of a folded text, in order.

    Many a Japanese syllable is a numeral too (に, し, ご): it is for the caller to believe only in rows.
    """
    tokens = [
        _Token(match.lastgroup or "", match.group(), match.start(), match.end())
        for match in _TOKEN.finditer(folded)
    ]
    found: list[Atom] = []
    at = 0
    while at < len(tokens):
        made, used = _READERS[tokens[at].kind](folded, tokens, at)
        found += made
        at += used
    return found


def _written(_folded: str, tokens: Sequence[_Token], at: int) -> tuple[list[Atom], int]:
    token = tokens[at]
    if len(token.text) <= _LONGEST_NUMBER:
        return [Atom(token.text, token.start, token.end, written=True)], 1
    # Numbers that were run together: they may begin and end anywhere.
    return [
        Atom(digit, token.start + i, token.start + i + 1, written=True) for i, digit in enumerate(token.text)
    ], 1


def _japanese(_folded: str, tokens: Sequence[_Token], at: int) -> tuple[list[Atom], int]:
    """A digit, or a number with places when one follows at once: 二十三 is 23, 五千 is 5000."""
    total, used = 0, 0
    while True:
        token, after = _adjacent(tokens, at, used), _adjacent(tokens, at, used + 1)
        if token and token.kind == "japanese" and after and after.kind == "place":
            total += int(JAPANESE[token.text]) * PLACES[after.text]
            used += 2
        elif token and token.text in _BARE_PLACES:
            total += PLACES[token.text]
            used += 1
        else:
            break
    first = tokens[at]
    if not used:
        return [Atom(JAPANESE[first.text], first.start, first.end)], 1
    if token and token.kind == "japanese":
        total += int(JAPANESE[token.text])
        used += 1
    return [Atom(str(total), first.start, tokens[at + used - 1].end)], used


def _adjacent(tokens: Sequence[_Token], at: int, further: int) -> _Token | None:
    """The token so much further, when nothing lies between it and the one before."""
    i = at + further
    if i >= len(tokens) or (further and tokens[i].start != tokens[i - 1].end):
        return None
    return tokens[i]


def _place(folded: str, tokens: Sequence[_Token], at: int) -> tuple[list[Atom], int]:
    """A number that begins with a place, such as 十二; kana alone (せん of ません) is no number."""
    if tokens[at].text in _BARE_PLACES:
        return _japanese(folded, tokens, at)
    return [], 1


def _english(folded: str, tokens: Sequence[_Token], at: int) -> tuple[list[Atom], int]:
    first = tokens[at]
    if first.text in REPEATS:
        repeated = _said_next(folded, tokens, at)
        digit = (
            UNITS.get(repeated.text) or (repeated.text if len(repeated.text) == 1 else "") if repeated else ""
        )
        if repeated and digit.isdigit():
            return [Atom(digit * REPEATS[first.text], first.start, repeated.end)], 2
        return [], 1
    if first.text in {HUNDRED, THOUSAND}:
        return [], 1
    digits, end, used = UNITS.get(first.text) or TEENS.get(first.text) or TENS[first.text], first.end, 1
    following = _said_next(folded, tokens, at)
    if first.text in TENS and following and UNITS.get(following.text, "0") != "0":
        digits, end, used = digits[0] + UNITS[following.text], following.end, 2
    after = _said_next(folded, tokens, at + used - 1)
    if after and after.text in {HUNDRED, THOUSAND}:
        return [Atom(digits + ("00" if after.text == HUNDRED else "000"), first.start, after.end)], used + 1
    return [Atom(digits, first.start, end)], used


def _said_next(folded: str, tokens: Sequence[_Token], at: int) -> _Token | None:
    """The next token when nothing but a space or a hyphen lies before it."""
    if at + 1 >= len(tokens):
        return None
    between = folded[tokens[at].end : tokens[at + 1].start]
    return tokens[at + 1] if _SAID_TOGETHER.fullmatch(between) else None


_READERS = {"written": _written, "japanese": _japanese, "place": _place, "english": _english}
