"""Postal addresses, Japanese and English: only with the number of a house or block: a town is nobody's."""

from __future__ import annotations

import re
from collections.abc import Iterator

from otokura.shared.redactions import RedactionKind
from otokura.transcribe.redaction.found import Found
from otokura.transcribe.redaction.numerals import TEENS, TENS, UNITS

_PREFECTURES = (
    "北海道|(?:青森|岩手|宮城|秋田|山形|福島|茨城|栃木|群馬|埼玉|千葉|神奈川|新潟|富山|石川|福井|山梨|長野|岐阜|静岡|愛知"
    "|三重|滋賀|兵庫|奈良|和歌山|鳥取|島根|岡山|広島|山口|徳島|香川|愛媛|高知|福岡|佐賀|長崎|熊本|大分|宮崎|鹿児島|沖縄)県"
    "|東京都|(?:大阪|京都)府"
)
_PLACE = r"[一-龥々ァ-ヶーA-Za-zヶケノ]"
_NUMBER = r"[0-9０-９〇一二三四五六七八九十百]+"
_BLOCK = (
    rf"{_NUMBER}\s*(?:丁目|番地?|号(?!室)|条|[-－‐−ーの]\s*(?={_NUMBER}))"
    rf"(?:[東西南北の]?\s*{_NUMBER}\s*(?:丁目|番地?|号|[-－‐−ーの](?={_NUMBER})|条)?)*"
    r"(?:の?[0-9０-９]+号室)?"
)
_JAPANESE = re.compile(
    rf"(?:(?:{_PREFECTURES})(?:{_PLACE}{{1,8}}[市区町村郡])*|{_PLACE}{{1,6}}[市区郡](?:{_PLACE}{{1,6}}[区町村])?)"
    rf"[一-龥々ァ-ヶーぁ-ん]{{0,20}}?{_BLOCK}"
)
_STREETS = (
    "street|st|avenue|ave|road|rd|lane|ln|drive|dr|boulevard|blvd|court|ct|way|place|pl|square|sq|terrace|close"
    "|crescent|parkway|pkwy|highway|hwy|circle|row|gardens|grove|mews"
)
_NAMES = (
    "alabama|alaska|arizona|arkansas|california|colorado|connecticut|delaware|florida|georgia|hawaii|idaho"
    "|illinois|indiana|iowa|kansas|kentucky|louisiana|maine|maryland|massachusetts|michigan|minnesota|mississippi|missouri"
    "|montana|nebraska|nevada|new [a-z]+|north [a-z]+|south [a-z]+|ohio|oklahoma|oregon|pennsylvania"
    "|rhode island|tennessee|texas|utah|vermont|virginia|washington|west virginia|wisconsin|wyoming"
)
_SPOKEN = "|".join(sorted([*UNITS.keys() - {"o", "oh"}, *TEENS, *TENS], key=len, reverse=True))
_HOUSE = rf"(?:[0-9]{{1,5}}[A-Za-z]?|(?i:(?:{_SPOKEN})(?:[ -](?:{_SPOKEN}))*))"
_ENGLISH = re.compile(
    rf"\b{_HOUSE} (?:(?:North|South|East|West|[NSEW]\.?) )?"
    rf"(?:(?:[A-Z][A-Za-z'’.]*|[0-9]+(?:st|nd|rd|th)) ){{1,3}}"
    rf"(?i:(?:{_STREETS}))\b(?:\.(?=[, ]))?"
    rf"(?:,? (?:(?i:apartment|apt\.?|suite|unit|flat|#) ?[A-Za-z0-9]+))?"
    rf"(?:, [A-Z][a-z]+(?: [A-Z][a-z]+)*\b)?(?:,? (?:[A-Z]{{2}}\b|(?i:{_NAMES})\b))?"
)
_ZIP = re.compile(r"(?<=[ ,])[0-9]{5}(?:-[0-9]{4})?\b")
_AFTER_ADDRESS = 4


def addresses(text: str, language: str) -> Iterator[Found]:
    """Addresses; in English with the ZIP code that ends them."""
    if language == "ja":
        for match in _JAPANESE.finditer(text):
            yield Found(RedactionKind.ADDRESS, match.start(), match.end())
        return
    for match in _ENGLISH.finditer(text):
        yield Found(RedactionKind.ADDRESS, match.start(), match.end())
        code = _ZIP.search(text, match.end(), match.end() + _AFTER_ADDRESS + 10)
        if code and code.start() - match.end() < _AFTER_ADDRESS:
            yield Found(RedactionKind.POSTAL_CODE, code.start(), code.end())
