"""The passwords that everybody tries first, as far as they are long enough to be asked about at all.

NIST SP 800-63B-4 §3.1.1.2 wants new passwords compared with those that are commonly used. Most of the lists
that circulate are of short ones, which are refused for that. What is left of them are these words, alone,
with digits and signs around them, or repeated, and rows of keys and digits.
"""

from __future__ import annotations

import re
import string

_WORDS = frozenset(
    """
    abcd abcdef abcdefg abcdefgh access account admin administrator aishiteru arigato arigatou asdf
    asdfgh asdfghjkl azerty azertyuiop baseball changeme changemeplease company computer
    correcthorsebatterystaple default dragon football freedom guest hello iloveyou kaisha konnichiwa
    letmein login master monkey mustang mypassword nihon nippon office otokura pass passwd password
    passwort princess qazwsx qazwsxedc qwer qwert qwerty qwertyui qwertyuiop qwertyuiopasdf root sakura
    sayonara secret secure security shadow starwars summer sunshine superman supervisor tennis test
    testtest tokyo trustno trustnoone user username welcome welcomehome winter zaq zxcv zxcvbn zxcvbnm
    あいしてる ありがとう こんにちは さくら ぱすわーど パスワード
    """.split()  # noqa: SIM905 - read by people
)
_ROWS = (
    "01234567890123456789",
    "12345678901234567890",
    "98765432109876543210",
    "09876543210987654321",
    "112233445566778899",
    "123123123123123123",
    "147258369147258369",
    "abcdefghijklmnopqrstuvwxyz",
    "1qaz2wsx3edc4rfv5tgb6yhn",
    "1q2w3e4r5t6y7u8i9o0p",
    "q1w2e3r4t5y6u7i8o9p0",
    "qwertyuiop[]asdfghjkl;'zxcvbnm,./",
    "qwertyuiopasdfghjklzxcvbnm",
    "zaq12wsxcde34rfvbgt56yhn",
)
_NO_LETTER = re.compile(r"[\W\d_]+")
_AROUND = string.digits + string.punctuation + " "
_MEANT = str.maketrans("0134578@$!", "oieastbasi")
"""Digits and signs that stand for letters inside a word."""
_FEWEST = 3
"""Letters of a word that is looked for repeated: a shorter piece would find chance."""


def is_common(password: str) -> bool:
    """Whether the password, in lower case, is among the first that somebody would try."""
    if any(password in row for row in _ROWS):
        return True
    inner = password.strip(_AROUND)
    return any(_is_word(_NO_LETTER.sub("", text)) for text in (password, inner.translate(_MEANT)))


def _is_word(letters: str) -> bool:
    if letters in _WORDS:
        return True
    sizes = range(_FEWEST, len(letters) // 2 + 1)
    return any(
        letters[:size] in _WORDS and letters == letters[:size] * (len(letters) // size)
        for size in sizes
        if len(letters) % size == 0
    )
