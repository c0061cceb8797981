"""What people choose to log in with: kept as Argon2id (RFC 9106), as a PHC string. Pure, and slow on purpose.

Lengths and normalisation are those of NIST SP 800-63B-4 §3.1.1; parameters those of the OWASP Password
Storage Cheat Sheet (19 MiB, two passes, one lane). Callers run this in a thread.
"""

from __future__ import annotations

import os
import unicodedata

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from otokura.access.logins.common_passwords import is_common
from otokura.shared.errors import Unprocessable

SHORTEST, LONGEST = 12, 128
_MEMORY_KIB, _PASSES, _LANES = 19 * 1024, 2, 1
_SALT_BYTES, _HASH_BYTES = 16, 32
_FEWEST_KINDS = 5
"""Different characters that a password must have: "aaaaaaaaaaaa" is long and no secret."""


def check(password: str, *personal: str) -> None:
    """Refuses a password that is too short, or easily guessed of this person.

    Args:
        password: the new one.
        personal: names that must not be in it: of the person, their login, their company.

    Raises:
        Unprocessable: says why.
    """
    text = _normal(password)
    if not SHORTEST <= len(text) <= LONGEST:
        raise Unprocessable(f"A password has {SHORTEST} to {LONGEST} characters; a sentence is a good one.")
    if len(set(text)) < _FEWEST_KINDS:
        raise Unprocessable("This password repeats itself: choose one with more different characters.")
    folded = text.casefold()
    if is_common(folded):
        raise Unprocessable("This password is one of those that are tried first: choose another one.")
    if any(_is_telling(name) and _normal(name).casefold() in folded for name in personal):
        raise Unprocessable("This password holds your name, your login or your company's name.")


def hashed(password: str) -> str:
    """The PHC string to keep."""
    return _argon2(os.urandom(_SALT_BYTES)).derive_phc_encoded(_bytes(password))


def matches(password: str, kept: str | None) -> bool:
    """Whether the password is the one that was kept; takes as long when there is none."""
    try:
        Argon2id.verify_phc_encoded(_bytes(password), kept or _NOBODYS)
    except InvalidKey:
        return False
    return kept is not None


def _is_telling(name: str) -> bool:
    """Long enough to be meant where it is found; two kanji are a whole name."""
    return len(name) > (2 if name.isascii() else 1)


def _argon2(salt: bytes) -> Argon2id:
    return Argon2id(salt=salt, length=_HASH_BYTES, iterations=_PASSES, lanes=_LANES, memory_cost=_MEMORY_KIB)


def _normal(password: str) -> str:
    """NFKC: the same characters, whichever keyboard or input method they came from."""
    return unicodedata.normalize("NFKC", password)


def _bytes(password: str) -> bytes:
    return _normal(password).encode()


_NOBODYS = hashed("")
