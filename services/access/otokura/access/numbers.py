"""Telephone numbers as they are compared: `+81 3-1234-5678`, `tel:+81312345678` and `03(1234)5678` are one.

Phone systems write a number in many ways. Where two ways are surely one number, both fold to the same text.
Where nobody can say (`81312345678`, `1234-5678`, an extension behind it), the two may be one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from otokura.shared.events import Direction

_WITH_NAME = re.compile(r"<([^<>]*)>")
"""`"Taro" <sip:…>`, as SIP's headers have it (RFC 3261 §20.10)."""
_SCHEME = re.compile(r"(sips?|tel):", re.IGNORECASE)
_CONTEXT = re.compile(r";phone-context=\+([0-9.()-]+)", re.IGNORECASE)
"""Of which country a local number in a `tel` URI is (RFC 3966 §5.1.5)."""
_ABROAD = re.compile(r"^(?:010|00(?=81))")
"""Dialled before a country's number, from Japan. `00` is so elsewhere; in Japan it begins a carrier's."""
_JAPAN = re.compile(r"^\+810?")
_NUMBER = re.compile(r"\+?[0-9]+")
_LONG_MARK = "\u30fc"
"""Typed in Japan for a hyphen, and a letter to Unicode."""
_MIN_DIGITS = 2
_LEAST_ALIKE = 6
"""Digits. A number without its area code has no fewer, but in a few villages."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number, to be compared.

    Attributes:
        folded: without anything that is only written; in Japan's own form where it is one of Japan's. What
            holds fewer than two digits (`anonymous`), or letters (a SIP account), is compared as text.
        digits: without zeros before them, to be looked for in others.
        account: the SIP account or address, if it is one.
    """

    folded: str
    digits: str
    account: str

    @classmethod
    def of(cls, text: str) -> Number:
        """What somebody wrote, or a phone system."""
        plain = unicodedata.normalize("NFKC", text).strip()
        named = _WITH_NAME.search(plain)
        address = named[1].strip() if named else plain
        scheme = _SCHEME.match(address)
        user, _, host = (unquote(address[scheme.end() :]) if scheme else address).partition("@")
        if scheme or host:
            user, host = user.partition(";")[0], host.partition(";")[0]
        user = user.partition(":")[0] if host else user
        context = _CONTEXT.search(address)
        number = _number(user, context[1] if context else "")
        return cls(
            folded=plain.casefold() if number is None else number,
            digits=_digits(user if number is None else number).lstrip("0"),
            account=f"{user}@{host}".casefold() if user and host else "",
        )

    @property
    def is_number(self) -> bool:
        """Whether it is compared as a number, rather than as text."""
        return _NUMBER.fullmatch(self.folded) is not None

    @property
    def is_account(self) -> bool:
        """Whether it is the URI of a SIP account with a name."""
        return bool(self.account) and self.folded.startswith(("sip:", "sips:"))

    def could_be(self, other: Number) -> bool:
        """Whether the two may be one, even if they do not fold to the same.

        The digits of one stand within the other's: with or without a country, an area, a prefix of a line or
        a carrier, or an extension. Or both are the same SIP account.
        """
        shorter, longer = sorted((self.digits, other.digits), key=len)
        if len(shorter) >= _LEAST_ALIKE and shorter in longer:
            return True
        return self.folded == other.folded or self.account == other.account != ""


def folded_number(text: str) -> str:
    """See `Number.folded`."""
    return Number.of(text).folded


def customer_numbers(direction: Direction, numbers: Mapping[str, str | None]) -> list[str]:
    """The customer's numbers among those of a call: of an internal call both sides'.

    Args:
        direction: of the call.
        numbers: `caller` and `callee`, where they are known.
    """
    sides = {Direction.INBOUND: ("caller",), Direction.OUTBOUND: ("callee",)}
    names = sides.get(direction, ("caller", "callee"))
    return [number for name in names if (number := numbers.get(name))]


def _number(user: str, country: str) -> str | None:
    """What is called, folded; None if that is no number."""
    user = user.replace(_LONG_MARK, "-")
    dialled = _dialled(user)
    if len(_digits(dialled)) < _MIN_DIGITS or any(character.isalpha() for character in user):
        return None
    if country and not dialled.startswith("+"):
        dialled = f"+{_digits(country)}{dialled}"
    number = _ABROAD.sub("+", dialled)
    if number.startswith("+") and "(0)" in user:
        # `+44 (0)20 …`: within the country only.
        number = _ABROAD.sub("+", _dialled(user.replace("(0)", "", 1)))
    return _JAPAN.sub("0", number)


def _digits(text: str) -> str:
    """Its digits, of whichever script, as ASCII."""
    return "".join(str(unicodedata.decimal(character)) for character in text if character.isdecimal())


def _dialled(text: str) -> str:
    """Its digits, and the `+` if one stands before them all."""
    before, plus, _ = text.partition("+")
    return (plus if not _digits(before) else "") + _digits(text)
