"""One form for texts that are written in many: every character is folded by itself, so that offsets stay."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

_KATAKANA = range(ord("ァ"), ord("ヶ") + 1)
_TO_HIRAGANA = ord("ァ") - ord("ぁ")


def fold(text: str) -> str:
    """`text` in half width (NFKC), lower case, katakana as hiragana; as long as before.

    Characters that NFKC or lower case would make several stay as they are.
    """
    return "".join(map(_fold, text))


@lru_cache(maxsize=8192)
def _fold(character: str) -> str:
    folded = unicodedata.normalize("NFKC", character).lower()
    if len(folded) != 1:
        return character
    return chr(ord(folded) - _TO_HIRAGANA) if ord(folded) in _KATAKANA else folded
