"""People's names, where the sentence leaves no doubt that one was said; and the same name said again.

Precision comes first here: a transcript in which every other word is taken for a name cannot be read. A name
without a formula around it is not found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib import resources

from otokura.shared.redactions import RedactionKind
from otokura.transcribe.redaction.found import Found


def _listed(name: str) -> frozenset[str]:
    """The words of a list beside this module; lines that begin with # say what it is."""
    text = resources.files(__package__ or __name__).joinpath(name).read_text(encoding="utf-8")
    return frozenset(word for line in text.splitlines() if not line.startswith("#") for word in line.split())


SURNAMES = _listed("surnames.txt")
_NOBODY = _listed("nobody.txt")
_WRITTEN = r"(?:[一-龥々]{1,6}|[ァ-ヶー]{2,10})(?:[ 　・](?:[一-龥々]{1,4}|[ァ-ヶー]{2,8}))?"
_SURNAME = "(?:" + "|".join(sorted(SURNAMES, key=len, reverse=True)) + ")"
_FULL = rf"{_SURNAME}(?:[ 　]?(?:[一-龥々]{{1,3}}|[ァ-ヶー]{{2,6}}))?"
_JAPANESE = (
    re.compile(rf"(?P<name>{_WRITTEN})と(?:申し|もうし|言い?ます|いいます)"),
    re.compile(
        rf"(?:名前|氏名|名義)(?:は|が|、)?、?(?P<name>{_WRITTEN})(?=です|でございます|と|になり|、|。|$)"
    ),
    re.compile(rf"(?P<name>{_WRITTEN})(?:様|さま|さん)(?!々|方|子)"),
    re.compile(
        rf"(?:^|[、。の\s]|私|わたくし|あ、|担当)(?P<name>{_FULL})(?=(?:が承り|で(?:ございます|す)|と(?:いう|です)))"
    ),
)
_HONORIFIC = re.compile(r"(?:様|さま|さん)$")

_CAPITALISED = r"[A-Z][a-z]+(?:['’-][A-Z]?[a-z]+)?"
_NAME = rf"(?P<name>{_CAPITALISED}(?: (?:[A-Z]\. )?{_CAPITALISED}){{0,2}})"
_ENGLISH = (
    re.compile(rf"(?i:\bmy (?:full |first |last )?name(?: is|'s|’s)|\bin the name of|\bsurname is) {_NAME}"),
    re.compile(rf"(?i:\bthis is|\bi am|\bi'm|\bi’m|\bit is|\bit's) {_NAME}(?= (?i:speaking|calling|from)\b)"),
    re.compile(rf"(?i:\bspeaking (?:with|to)|\byou(?:'re| are) through to) {_NAME}"),
    re.compile(rf"\b(?P<name>(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof)\.? {_CAPITALISED}(?: {_CAPITALISED})?)"),
)
_TITLE = re.compile(r"^(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof)\.? ")
_NOT_NAMES = frozenset(
    ("The", "A", "An", "I", "It", "Is", "In", "On", "At", "And", "But", "So", "Not", "Just", "Here", "There")
) | {"Calling", "Speaking", "Your", "My"}
_SHORTEST_AGAIN = 2


def names(text: str, language: str) -> Iterator[Found]:
    """Names in a text by the formulas of its language."""
    for pattern in _JAPANESE if language == "ja" else _ENGLISH:
        for match in pattern.finditer(text):
            start, end = match.span("name")
            if _is_name(text[start:end]):
                yield Found(RedactionKind.NAME, start, end)


def _is_name(said: str) -> bool:
    first = re.split(r"[ 　・]", _TITLE.sub("", said))[0]
    if first in _NOT_NAMES or _HONORIFIC.sub("", first) in _NOBODY:
        return False
    return not re.search(r"[者員社店屋係課部長]$|番号$|センター$", said)


def again(text: str, known: Iterable[str]) -> Iterator[Found]:
    """Where known names, or their parts of two characters and more, are said again."""
    parts = {part for name in known for part in re.split(r"[ 　・]", _TITLE.sub("", name)) if part}
    for part in sorted(parts, key=lambda one: (-len(one), one)):
        if len(part) >= _SHORTEST_AGAIN and part not in _NOT_NAMES:
            edge = r"\b" if part.isascii() else ""
            for match in re.finditer(rf"{edge}{re.escape(part)}{edge}", text):
                yield Found(RedactionKind.NAME, match.start(), match.end())
