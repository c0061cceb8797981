"""Turns to redact, and the ways in which people write and say digits."""

from __future__ import annotations

import re
from collections.abc import Sequence

from otokura.shared.events import ChannelRole
from otokura.shared.transcripts import Turn, Word

TURN_MS = 4000
FULL_WIDTH = str.maketrans("0123456789", "0123456789")
KANJI = str.maketrans("0123456789", "〇一二三四五六七八九")
KATAKANA = ("ゼロ", "イチ", "ニ", "サン", "ヨン", "ゴ", "ロク", "ナナ", "ハチ", "キュウ")
LONG = ("ゼロ", "イチ", "ニー", "サン", "ヨン", "ゴー", "ロク", "ナナ", "ハチ", "キュー")
HIRAGANA = ("れい", "いち", "に", "さん", "よん", "ご", "ろく", "しち", "はち", "く")
ENGLISH = ("oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

WRITINGS = (
    "plain",
    "grouped",
    "full-width",
    "kanji",
    "katakana",
    "long",
    "hiragana",
    "english",
    "singly",
    "mixed",
)


def write(digits: str, writing: str) -> str:
    """The digits in a way of writing."""
    grouped = [digits[at : at + 4] for at in range(0, len(digits), 4)]
    mixed = (
        digits[at].translate(KANJI) if at % 3 else KATAKANA[int(digits[at])] for at in range(len(digits))
    )
    ways = {
        "plain": digits,
        "grouped": "-".join(grouped),
        "full-width": digits.translate(FULL_WIDTH),
        "kanji": "、".join(group.translate(KANJI) for group in grouped),
        "katakana": "".join(KATAKANA[int(digit)] for digit in digits),
        "long": " ".join(LONG[int(digit)] for digit in digits),
        "hiragana": "の".join("".join(HIRAGANA[int(digit)] for digit in group) for group in grouped),
        "english": " ".join(ENGLISH[int(digit)] for digit in digits),
        "singly": "-".join(digits),
        "mixed": "".join(mixed),
    }
    return ways[writing]


def conversation(*said: tuple[int, str], words: bool = False) -> list[Turn]:
    """Turns of channel and text, four seconds each; a word a character when asked for."""
    return [_turn(number, channel, text, words=words) for number, (channel, text) in enumerate(said)]


def _turn(number: int, channel: int, text: str, *, words: bool) -> Turn:
    start = number * TURN_MS
    heard = [
        Word(text=character, start_ms=start + 100 * at, end_ms=start + 100 * (at + 1), confidence=0.9)
        for at, character in enumerate(text)
        if not character.isspace()
    ]
    return Turn(
        channel=channel,
        role=(ChannelRole.AGENT, ChannelRole.CUSTOMER)[channel],
        start_ms=start,
        end_ms=start + 3500,
        text=text,
        words=heard if words else [],
        avg_logprob=-0.2,
        no_speech_prob=0.0,
    )


def with_luhn(payload: Sequence[int]) -> str:
    """The digits with the check digit that Luhn's formula (ISO/IEC 7812-1, annex B) gives them."""
    doubled = (digit * 2 if at % 2 == 0 else digit for at, digit in enumerate(reversed(payload)))
    total = sum(digit - 9 if digit > 9 else digit for digit in doubled)
    return "".join(map(str, payload)) + str(-total % 10)


def shows(text: str, digits: str) -> bool:
    """Whether a text shows a number that begins with these digits; ids and hashes may hold them by chance."""
    return re.search(rf"(?<![0-9a-f.-]){digits}", text) is not None
