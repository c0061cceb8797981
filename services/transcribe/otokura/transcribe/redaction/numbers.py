"""Card numbers, My Numbers, telephone numbers, bank accounts and postal codes among the runs of a stream.

A number that proves itself (Luhn's digit, My Number's, a plan of telephone numbers) needs no name, except
where it is named as something harmless; a number that was misheard proves nothing, so what a speaker calls a
card's number is taken for one. Card numbers that pass Luhn are always taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import phonenumbers
from stdnum import luhn
from stdnum.jp import in_ as individual_number

from otokura.shared.redactions import RedactionKind
from otokura.transcribe.redaction.amounts import dated
from otokura.transcribe.redaction.cues import Cue
from otokura.transcribe.redaction.found import Found
from otokura.transcribe.redaction.runs import Run, Search, Window

CueOf = Callable[[Window], Cue | None]

CARD_LENGTHS = (13, 19)
"""ISO/IEC 7812-1 allows up to 19 digits; 13 is the shortest that was ever issued (Visa)."""
_REGIONS = {"ja": ("JP",), "en": ("US", "GB", "JP")}
_ELSEWHERE = ("JP", "US", "GB")
_JAPANESE_LENGTHS, _AMERICAN_LENGTHS = {10, 11}, {10, 11}
_AS_TELEPHONES = ([3, 4, 4], [3, 3, 4], [2, 4, 4], [4, 3, 3], [4, 2, 4])
"""How nothing but telephone numbers is written: "the number on the order was 415-347-1478"."""
_MISHEARD_CARD, _CARD_DIGITS = 12, range(13, 20)
_MY_NUMBER_DIGITS = 12
_ACCOUNT = {"ja": (5, 8), "en": (6, 17)}
_JAPANESE_CODE, _ZIP_LENGTHS, _HYPHENS = 7, {5, 9}, {"-", "－", "‐"}

_ISSUERS = (
    (4, 4, {13, 16, 19}),  # Visa
    (51, 55, {16}),  # Mastercard
    (2221, 2720, {16}),
    (34, 34, {15}),  # American Express
    (37, 37, {15}),
    (3528, 3589, {16, 17, 18, 19}),  # JCB
    (36, 36, set(range(14, 20))),  # Diners Club
    (300, 305, {16, 17, 18, 19, 14}),
    (6011, 6011, {16, 17, 18, 19}),  # Discover
    (644, 649, {16, 17, 18, 19}),
    (62, 65, {16, 17, 18, 19}),  # UnionPay, Discover
)
"""First digits from, to, and lengths."""

_CARDS = {Cue.CARD, Cue.CARD_NUMBER}
_PHONES = {Cue.PHONE, Cue.PHONE_NUMBER}
_BANKS = {Cue.BANK, Cue.ACCOUNT_NUMBER}


def numbers(runs: Sequence[Run], cue_of: CueOf, language: str, text: str) -> Iterator[Found]:
    """What is a number of somebody's in these runs.

    Args:
        runs: of one stream.
        cue_of: what a window is called where it stands.
        language: of the call (ISO 639-1): where telephone numbers are looked for.
        text: the stream's.
    """
    for run in runs:
        yield from _of_run(run, cue_of, language, text)


def _of_run(run: Run, cue_of: CueOf, language: str, text: str) -> Iterator[Found]:
    """The windows that are anything, the surest kinds first."""
    search = Search(run)
    for kind, recognise in _RECOGNISERS:
        for window in search.windows(*recognise.lengths):
            if recognise.accepts(_Asked(window, cue_of, language, text)):
                search.take(window)
                yield Found(kind, window.start, window.end, window.digits)


@dataclass(frozen=True)
class _Asked:
    """What a rule may ask about a window; its cue is looked for only when a rule wants it."""

    window: Window
    cue_of: CueOf
    language: str
    text: str

    @cached_property
    def cue(self) -> Cue | None:
        """What it is called."""
        return self.cue_of(self.window)

    @property
    def digits(self) -> str:
        """What was said."""
        return self.window.digits

    @property
    def international(self) -> bool:
        """Whether a plus stands or is said before it."""
        before = self.text[max(0, self.window.start - 6) : self.window.start].lower()
        return before.rstrip("( ").endswith(("+", "＋", "plus", "プラス"))


@dataclass(frozen=True, slots=True)
class _Recogniser:
    """A rule about windows of a number of digits."""

    lengths: tuple[int, int]
    accepts: Callable[[_Asked], bool]


def _card(asked: _Asked) -> bool:
    """A number of 13 to 19 digits that passes Luhn; inside a longer run only one of a known issuer."""
    return (asked.window.whole or _issued(asked.digits)) and luhn.is_valid(asked.digits)


def _issued(digits: str) -> bool:
    """Whether a known network issues numbers of this beginning and length (their published IIN ranges)."""
    return any(
        low <= int(digits[: len(str(low))]) <= high and len(digits) in lengths
        for low, high, lengths in _ISSUERS
    )


def _misheard_card(asked: _Asked) -> bool:
    """What is called a card's number, or is as long as one and called nothing, although a digit is wrong."""
    if not asked.window.cut:
        return False
    if asked.cue is Cue.CARD_NUMBER:
        return True
    if asked.cue is Cue.CARD:
        return len(asked.digits) >= _MISHEARD_CARD
    # By itself, and called nothing: nobody reads out so many digits of anything else.
    return _alone(asked) and len(asked.digits) in _CARD_DIGITS


def _alone(asked: _Asked) -> bool:
    """Whether it is said by itself, called nothing, and is no date."""
    return asked.cue is None and asked.window.whole and not dated(asked.window, asked.text)


def _my_number(asked: _Asked) -> bool:
    """Twelve digits that pass the check, unless they are called something else."""
    return (
        asked.window.cut
        and asked.window.groups in ([12], [4, 4, 4])
        and individual_number.is_valid(asked.digits)
        and not asked.international
        and asked.cue not in _PHONES | _BANKS | {Cue.HARMLESS}
    )


def _misheard_my_number(asked: _Asked) -> bool:
    if asked.cue is Cue.MY_NUMBER:
        return asked.window.cut or individual_number.is_valid(asked.digits)
    return len(asked.digits) == _MY_NUMBER_DIGITS and _alone(asked) and not asked.international


def _phone(asked: _Asked) -> bool:
    """A number that a plan of telephone numbers knows (libphonenumber's data)."""
    if asked.international:
        return _valid("+" + asked.digits, None)
    regions = [region for region in _REGIONS.get(asked.language, _ELSEWHERE) if _planned(asked, region)]
    if not regions or (asked.cue is Cue.HARMLESS and asked.window.groups not in _AS_TELEPHONES):
        return False
    inside = min(asked.window.before, asked.window.after) == 0 and len(asked.window.groups) == 1
    if inside and asked.cue not in _PHONES:
        return False
    if asked.cue in _BANKS and len(asked.digits) not in _JAPANESE_LENGTHS:
        return False
    # Ten digits without a zero in front are an American telephone number, or anything.
    return regions != ["US"] or asked.cue not in _BANKS | _CARDS | {Cue.MY_NUMBER}


def _planned(asked: _Asked, region: str) -> bool:
    """Whether a country has such numbers.

    Also one as long as the country's are, by itself and with the zero that leads: with one digit misheard it
    is often a number that nobody has been given.
    """
    digits = asked.digits
    if region == "US":
        return digits[0] != "0" and len(digits) in _AMERICAN_LENGTHS and _valid(digits, region)
    if digits[0] != "0" or (region == "JP" and len(digits) not in _JAPANESE_LENGTHS):
        return False
    return (asked.window.whole and _possible(digits, region)) or _valid(digits, region)


def _possible(digits: str, region: str) -> bool:
    number = _parsed(digits, region)
    return number is not None and phonenumbers.is_possible_number(number)


def _valid(digits: str, region: str | None) -> bool:
    number = _parsed(digits, region)
    return number is not None and phonenumbers.is_valid_number(number)


def _parsed(digits: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    """The digits as a telephone number; None when they dial a country that there is not (010 from Japan)."""
    try:
        return phonenumbers.parse(digits, region)
    except phonenumbers.NumberParseException:
        return None


def _misheard_phone(asked: _Asked) -> bool:
    return asked.window.cut and asked.cue is Cue.PHONE_NUMBER


def _account(asked: _Asked) -> bool:
    low, high = _ACCOUNT.get(asked.language, (5, 17))
    return asked.window.cut and low <= len(asked.digits) <= high and asked.cue in _BANKS


def _postal(asked: _Asked) -> bool:
    if not asked.window.cut:
        return False
    if asked.language != "ja":
        return len(asked.digits) in _ZIP_LENGTHS and asked.cue is Cue.POSTAL
    if len(asked.digits) != _JAPANESE_CODE:
        return False
    atoms = asked.window.atoms
    hyphen = asked.window.groups == [3, 4] and asked.text[atoms[0].end : atoms[1].start] in _HYPHENS
    return asked.cue is Cue.POSTAL or (hyphen and asked.cue is None)


_RECOGNISERS: tuple[tuple[RedactionKind, _Recogniser], ...] = (
    (RedactionKind.CARD_NUMBER, _Recogniser(CARD_LENGTHS, _card)),
    (RedactionKind.MY_NUMBER, _Recogniser((12, 12), _my_number)),
    (RedactionKind.PHONE_NUMBER, _Recogniser((9, 15), _phone)),
    (RedactionKind.MY_NUMBER, _Recogniser((10, 13), _misheard_my_number)),
    (RedactionKind.CARD_NUMBER, _Recogniser((8, 24), _misheard_card)),
    (RedactionKind.BANK_ACCOUNT, _Recogniser((5, 17), _account)),
    (RedactionKind.POSTAL_CODE, _Recogniser((5, 9), _postal)),
    (RedactionKind.PHONE_NUMBER, _Recogniser((7, 15), _misheard_phone)),
)
