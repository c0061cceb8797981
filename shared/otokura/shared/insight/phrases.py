"""What may stand in a rule's phrase. No regular expressions, so that no rule can be slow.

- `折り返し*ご連絡`: `*` is a gap of up to `GAP_CHARACTERS` characters or `GAP_WORDS` words, in one sentence.
- `I will (call|ring) you back`: alternatives, one of which may be empty; they do not nest. Where words are
  compared an alternative is a word or several, never a part of one.
- `いたしますか。`: `。` (`.` where words are compared) is the end of a sentence.

A phrase with Japanese in it is compared character by character; any other word by word, so that `pro` is no
part of `promise`. Width, case, spaces between Japanese and the commas of a sentence do not matter.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

GAP_CHARACTERS = 12
GAP_WORDS = 4
MAX_GAPS = 3
MIN_CHARACTERS = 2
SEPARATOR = "\x1f"
"""Stands before every word, and behind the last, where words are compared."""
SENTENCE_END = "\n"
REDACTED = "\ufffc"
"""What a redacted stretch is to the rules: one thing that no phrase names."""

_GROUP = re.compile(r"\(([^()]*)\)")
_JAPANESE = re.compile(r"[\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_TOKEN = re.compile(rf"{_WORD.pattern}|{REDACTED}|{SENTENCE_END}")
_APOSTROPHES = str.maketrans("’‘`´", "''''")


@dataclass(frozen=True, slots=True)
class Part:
    """Texts of which one follows; where `gap`, other text may stand before it."""

    gap: bool
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase to compare: by character, or by word (then a `SEPARATOR` stands behind each word)."""

    by_word: bool
    parts: tuple[Part, ...]


def folded(character: str) -> str:
    """A character as it is compared: width and case do not matter (Unicode NFKC). It may become several."""
    return unicodedata.normalize("NFKC", character).casefold().translate(_APOSTROPHES)


def is_japanese(text: str) -> bool:
    """Whether there is a kana or a kanji in it."""
    return _JAPANESE.search(text) is not None


def words_of(text: str) -> list[tuple[int, int]]:
    """Where the words of a folded text lie."""
    return [match.span() for match in _WORD.finditer(text)]


def tokens(text: str) -> list[tuple[int, int]]:
    """Where the words of a folded text lie, its redacted stretches and the ends of its sentences."""
    return [match.span() for match in _TOKEN.finditer(text)]


def is_spoken(character: str) -> bool:
    """Whether a folded character counts where Japanese is compared: not spaces, not commas."""
    return character.isalnum() or character in f"ー々〇{SENTENCE_END}{REDACTED}"


def parse(phrase: str) -> Phrase:
    """What to compare.

    Raises:
        ValueError: it cannot be a phrase; the message says why, and is fit to be shown to whoever wrote it.
    """
    plain = "".join(map(folded, phrase))
    if any(mark in _GROUP.sub("", plain) for mark in "()|"):
        raise ValueError("alternatives are written (one|other), and do not nest")
    by_word = not is_japanese(plain)
    parts: list[Part] = []
    gap = False
    for number, piece in enumerate(_GROUP.split(plain)):
        alternatives = [piece.split("|")] if number % 2 else [[literal] for literal in piece.split("*")]
        for position, texts in enumerate(alternatives):
            gap = gap or position > 0
            compared = tuple(dict.fromkeys(_compared(text, by_word=by_word) for text in texts))
            if any(compared):
                parts.append(Part(gap, compared))
                gap = False
    _check(parts, plain, gap=gap)
    return Phrase(by_word, tuple(parts))


def _check(parts: list[Part], plain: str, *, gap: bool) -> None:
    if not parts or gap or parts[0].gap or not all(map(_begins_with_words, parts[0].texts)):
        raise ValueError("a phrase begins and ends with words that must be there")
    if sum(part.gap for part in parts) > MAX_GAPS:
        raise ValueError(f"a phrase may have {MAX_GAPS} gaps (*)")
    if "*" in "".join(_GROUP.findall(plain)):
        raise ValueError("a gap (*) stands between alternatives, not within them")
    if sum(min(map(_letters, part.texts)) for part in parts) < MIN_CHARACTERS:
        raise ValueError("a phrase of one character would match everywhere")


def _letters(text: str) -> int:
    return sum(character not in (SEPARATOR, SENTENCE_END) for character in text)


def _begins_with_words(text: str) -> bool:
    return bool(text) and not text.startswith(SENTENCE_END)


def _compared(text: str, *, by_word: bool) -> str:
    if not by_word:
        return "".join(filter(is_spoken, text.replace("。", SENTENCE_END)))
    marked = text.replace(".", SENTENCE_END)
    return "".join(f"{marked[start:end]}{SEPARATOR}" for start, end in tokens(marked))
