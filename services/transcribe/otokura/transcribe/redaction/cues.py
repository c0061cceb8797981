"""What a number is called by those who say it: the last such words before it, or just after it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum

from otokura.shared.transcripts import Turn
from otokura.transcribe.redaction.folding import fold


class Cue(StrEnum):
    """What a number is said to be. The `_NUMBER` ones ask for the number itself, not only for the thing."""

    CARD = "card"
    CARD_NUMBER = "card_number"
    MY_NUMBER = "my_number"
    BANK = "bank"
    ACCOUNT_NUMBER = "account_number"
    POSTAL = "postal"
    PHONE = "phone"
    PHONE_NUMBER = "phone_number"
    HARMLESS = "harmless"
    """Orders, dates, prices, models: a number that is nobody's."""


_BEFORE = 160
_AFTER = 24
_TURNS_BACK = 3

# At one place the first that fits counts: マイナンバーカード is no credit card, an order's 番号 no account's.
_CUES: dict[Cue, tuple[str, ...]] = {
    Cue.MY_NUMBER: (
        # ライナンパ…: what Whisper makes of it on a telephone line, now and then.
        r"(マイ|ライ|アイ)ナン[バパハ]ー?(カード)?|個人番号(カード)?|通知カード",
        r"my ?number( card)?|individual number",
    ),
    Cue.HARMLESS: (
        r"(注文|予約|受付|受注|伝票|追跡|お客様|顧客|会員|問い?合わ?せ|契約|確認|管理)の?(番号|no)",
        r"(商品|製造|申込み?|整理|証券|保証)の?(番号|no)|型番|品番|シリアル(番号|ナンバー)?|コード|内線",
        r"合計|金額|料金|送り状|ポイントカード",
        r"(ticket|case|model|part|booking|reservation|policy|member(ship)?|customer) (number|code|id|is)",
        r"(reference|confirmation|serial|product|flight|item) (number|code|id|is)",
        r"extension|invoice|order|tracking|total|\broom|\bport\b|server",
    ),
    Cue.CARD_NUMBER: (
        r"(カード|クレジット)の?(お)?番号",
        r"card'?s? number|number (on|of) (the|your|my) (front|card)|long number",
    ),
    Cue.CARD: (
        r"クレジット|カード|決済|支払い?|ビザ",
        r"visa|master ?card|amex|american express|jcb|\bcard|\bpay\b|charge",
    ),
    Cue.ACCOUNT_NUMBER: (
        r"口座の?番号|普通(預金)?|当座(預金)?|ゆうちょ|記号",
        r"account numbers?|sort ?code|routing( number)?|iban|(checking|savings|current) account",
    ),
    Cue.BANK: (r"口座|支店|振り?込み?先?|銀行", r"\bbank\b|\baccount"),
    Cue.POSTAL: (r"郵便番号|〒", r"\bzip( ?code)?|post ?code|postal code"),
    Cue.PHONE_NUMBER: (
        r"(電話|携帯|連絡先|でんわ|けいたい|ファックス|ファクス|fax)(電話)?の?(お)?番号|連絡先|折り返し",
        r"(tele)?phone( number)?|mobile|cell( ?phone)?|contact number|number to call|\breach|\bdial|\bfax",
        r"call(ing)? (me|us|him|her|back|them)|text me",
    ),
    Cue.PHONE: (
        r"電話(?!あり|が遠|口|を?ありが)|携帯|かけて|かけ直|お?かけ|連絡",
        r"\btel\b|\bcall\b|\bring\b",
    ),
}
_CUE = re.compile("|".join(f"(?P<{cue.value}>{fold('|'.join(patterns))})" for cue, patterns in _CUES.items()))
_SENTENCE_END = re.compile(r"[。.!?]")
_CLAUSE_END = re.compile(r"[。.!?、,]")
_WEAK = {Cue.CARD, Cue.BANK, Cue.PHONE}
"""Things, not numbers: "the zip code on the account" asks for a zip code."""


def cue_of(turns: Sequence[Turn], start: tuple[int, int], end: tuple[int, int]) -> Cue | None:
    """What the number is called that begins at character `start[1]` of turn `start[0]` and ends before `end`.

    What its own sentence calls it comes first: before it, then after it; else what was asked for in the
    turns before, whoever asked.
    """
    turn, at = start
    before, after = fold(turns[turn].text[:at]), fold(turns[end[0]].text[end[1] :])
    own = _last(before[-_BEFORE:])
    if own is None:
        own = _first(_CLAUSE_END.split(after.lstrip("、, "), maxsplit=1)[0][:_AFTER])
    if own is not None:
        return own
    asked = " ".join(fold(one.text) for one in turns[max(0, turn - _TURNS_BACK) : turn])
    return _last(asked[-_BEFORE:])


def _last(text: str) -> Cue | None:
    """The last cue; of its sentence, the last that asks for a number when there is one."""
    for sentence in reversed(_SENTENCE_END.split(text)):
        cues = [Cue(str(match.lastgroup)) for match in _CUE.finditer(sentence)]
        strong = [cue for cue in cues if cue not in _WEAK]
        if cues:
            return (strong or cues)[-1]
    return None


def _first(text: str) -> Cue | None:
    match = _CUE.search(text)
    return Cue(str(match.lastgroup)) if match else None
