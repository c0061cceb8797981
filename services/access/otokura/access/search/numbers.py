"""Telephone numbers as they are compared: `+81 3-1234-5678`, `03(1234)5678` and `0312345678` are one."""

from __future__ import annotations

import re
import unicodedata

_JAPAN = re.compile(r"^(?:\+|010|00)81(?:0)?")
_MIN_DIGITS = 2


def folded_number(text: str) -> str:
    """The number without anything that is only written; in Japan's own form where it is one of Japan's.

    What holds fewer than two digits (`anonymous`, the name of a SIP account) is compared as text.
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    user = plain.partition(":")[2].partition("@")[0] if plain.startswith(("sip:", "tel:")) else plain
    digits = "".join(character for character in user if character.isdecimal())
    if len(digits) < _MIN_DIGITS or any(character.isalpha() for character in user):
        return plain.casefold()
    number = f"+{digits}" if user.lstrip().startswith("+") else digits
    return _JAPAN.sub("0", number)
