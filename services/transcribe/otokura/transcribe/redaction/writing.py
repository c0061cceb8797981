"""What is found by how it is written or said, beside numbers: e-mail addresses, IBANs, British postcodes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stdnum import iban

from otokura.shared.redactions import RedactionKind
from otokura.transcribe.redaction.folding import fold
from otokura.transcribe.redaction.found import Found

_EMAIL = re.compile(r"(?<![a-z0-9._%+-])[a-z0-9][a-z0-9._%+-]{0,63}\s?@\s?[a-z0-9-]+(?:\.[a-z0-9-]+)+")

# Spoken: words, dots and dashes, "at", and words with at least one dot between them.
_DOT = r"(?:\s*(?:\bdot\b|\bpoint\b|どっと|てん|\.)\s*)"
_JOIN = r"(?:\s*(?:\bunderscore\b|\bdash\b|\bhyphen\b|\bminus\b|\bplus\b|はいふん|あんだーばー|[-_+])\s*)"
_AT = r"(?:\s*(?:\bat(?: sign)?\b|あっとまーく|あっと|@)\s*)"
_LATIN = r"[a-z0-9]{1,64}"
_TOP = (
    "com|org|net|edu|gov|mil|int|info|biz|io|ai|app|dev|example|test|jp|uk|us|eu|de|fr|it|es|nl|ch|at|be|ca|au|nz"
    "|cn|kr|tw|hk|sg|in|co|me|tv"
)
_ENGLISH_EMAIL = re.compile(
    rf"\b{_LATIN}(?:(?:{_DOT}|{_JOIN}){_LATIN}){{0,8}}{_AT}{_LATIN}(?:{_JOIN}{_LATIN}){{0,4}}(?:{_DOT}{_LATIN}){{0,4}}{_DOT}(?:{_TOP})\b"
)
# Katakana only (it is looked for before folding): hiragana around it is the sentence.
_KATA = r"(?:[ァ-ヶー]{1,30}|[A-Za-z0-9]{1,64})"
_SPACED = rf"{_KATA}(?:[\s・._+-]{_KATA}){{0,8}}"
_JAPANESE_EMAIL = re.compile(
    rf"(?:{_SPACED}[\s、]?)(?:アットマーク|アット|@|@)\s?、?{_KATA}(?:[\s、]?(?:ドット|[.．])[\s、]?{_KATA}|[\s・-]{_KATA})*"
)
_DOMAIN = re.compile(r"ドット|dot|\.", re.IGNORECASE)

_IBAN = re.compile(r"\b[a-z]{2}[0-9]{2}(?:[ -]?[a-z0-9]){11,30}")
_POSTCODE = re.compile(r"\b(?:gir ?0aa|[a-z]{1,2}[0-9][a-z0-9]? ?[0-9][abd-hjlnp-uw-z]{2})\b")


def emails(text: str) -> Iterator[Found]:
    """E-mail addresses, written (RFC 5321's usual part) or spoken in either language."""
    folded = fold(text)
    for pattern, where in ((_EMAIL, folded), (_ENGLISH_EMAIL, folded), (_JAPANESE_EMAIL, text)):
        for match in pattern.finditer(where):
            if pattern is not _JAPANESE_EMAIL or _DOMAIN.search(match.group()):
                yield Found(RedactionKind.EMAIL, match.start(), match.end())


def ibans(text: str) -> Iterator[Found]:
    """IBANs whose country, length and check digits are right (ISO 13616), with spaces or not."""
    folded = fold(text)
    for match in _IBAN.finditer(folded):
        for end in range(match.end(), match.start() + 14, -1):
            if iban.is_valid(folded[match.start() : end]) and not folded[end - 1].isspace():
                yield Found(RedactionKind.BANK_ACCOUNT, match.start(), end)
                break


def postcodes(text: str) -> Iterator[Found]:
    """British postcodes (BS 7666's form), which look like nothing else in a sentence."""
    for match in _POSTCODE.finditer(fold(text)):
        yield Found(RedactionKind.POSTAL_CODE, match.start(), match.end())
