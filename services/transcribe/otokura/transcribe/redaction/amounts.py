"""Digits that say how much, how many or when: nobody's number."""

from __future__ import annotations

import re

from otokura.transcribe.redaction.folding import fold
from otokura.transcribe.redaction.runs import Window

_UNIT_LENGTH = 10
_NUMBER = 5
"""Fewer digits than these beside a date are no number of somebody's."""
_UNIT = re.compile(
    fold(
        r"\s*(円|えん|ドル|ユーロ|年|月|日|時|分|秒|個|名|人|回|件|本|台|枚|冊|階|度|歳|才|倍|万|億|点|%|パーセント"
        r"|キロ|ポイント|マイル|(yen|dollars?|euros?|pounds?|cents?|percent|years?|months?|weeks?|days?|hours?"
        r"|minutes?|seconds?|items?|pieces?|points?|miles?|people|times|units?|million|billion|o'clock|am|pm)\b)"
    )
)
_MONEY = re.compile(r"[¥\\$€£]\s*$")
_DATE_OR_TIME = re.compile(
    r"(?<![0-9])((19|20)[0-9]{2}([-/.][0-9]{1,2}){0,2}|[0-9]{1,2}:[0-9]{2}|[0-9]{1,2}/[0-9]{1,2})(?![0-9])"
)
_PLACES = re.compile(r"[十百千]|じゅう|ひゃく|せん|hundred|thousand")


def counted(window: Window, text: str) -> bool:
    """Whether a unit follows, or a currency stands before."""
    return bool(
        _UNIT.match(fold(text[window.end : window.end + _UNIT_LENGTH]))
        or _MONEY.search(text[: window.start][-2:])
    )


def with_places(window: Window, text: str) -> bool:
    """Whether it is said as a quantity is: with hundreds and thousands."""
    return _PLACES.search(fold(text[window.start : window.end])) is not None


def dated(window: Window, text: str) -> bool:
    """Whether it is dates and times, and too little besides to be a number."""
    said = fold(text[window.start : window.end])
    rest, dates = _DATE_OR_TIME.subn("", said)
    return dates > 0 and sum(char.isdigit() for char in rest) < _NUMBER
