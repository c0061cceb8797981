"""Scores transcripts against what was said: word error rate for English, character error rate for Japanese.

Normalisation takes away only what cannot be heard: case, punctuation, spacing, full and half width (NFKC),
and in English whether a small number is spelled out. Nothing else is corrected: a homophone in another
kanji counts as an error.
"""

from __future__ import annotations

import unicodedata

import jiwer

_UNITS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"),
    *("twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_NUMBERS = {word: str(number) for number, word in enumerate(_UNITS)} | {
    word: str(10 * number) for number, word in enumerate(_TENS, start=2)
}


def _audible(text: str, *, keep: str = "") -> str:
    """`text` in NFKC and lower case with everything but letters, marks and digits turned into spaces."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(c if c in keep or unicodedata.category(c)[0] in "LMN" else " " for c in folded)


def words(text: str) -> str:
    """The words of an English text, one space apart; an apostrophe belongs to its word; numbers in digits."""
    return " ".join(_NUMBERS.get(word, word) for word in _audible(text.replace("’", "'"), keep="'").split())


def characters(text: str) -> str:
    """The characters of a Japanese text without spaces and punctuation."""
    return "".join(_audible(text).split())


def word_error_rate(said: str, heard: str) -> float:
    """Errors per word said: 0 is perfect, above 1 is possible."""
    return float(jiwer.wer(words(said), words(heard)))


def character_error_rate(said: str, heard: str) -> float:
    """Errors per character said: 0 is perfect, above 1 is possible."""
    return float(jiwer.cer(characters(said), characters(heard)))


def words_lost(said: str, heard: str) -> float:
    """Of the words said, the share in whose place nothing was heard: 0 is everything."""
    found = jiwer.process_words(words(said), words(heard))
    return found.deletions / (found.hits + found.substitutions + found.deletions)


def characters_lost(said: str, heard: str) -> float:
    """Of the characters said, the share in whose place nothing was heard: 0 is everything."""
    found = jiwer.process_characters(characters(said), characters(heard))
    return found.deletions / (found.hits + found.substitutions + found.deletions)
