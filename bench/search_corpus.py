"""Transcripts for `search.py`, made by rules: Japanese and English calls, each from its number alone.

A call is sentences of templates whose gaps are filled from lists. Some phrases are planted, each in a known
share of the calls; what else the hashes of a phrase find is as it comes.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from uuid import UUID

from otokura.access.search.hashes import Domain, IndexKey
from otokura.access.search.text import fold, pieces
from otokura.shared.events import ChannelRole
from otokura.shared.redactions import Redaction, RedactionKind
from otokura.shared.transcripts import Transcript, Turn, Word

START = datetime(2024, 1, 1, tzinfo=UTC)
BASE = 0x0190_0000_0000_7000_8000_0000_0000_0000
AGENTS = 20
TURNS = 24
_ROLES = (ChannelRole.AGENT, ChannelRole.CUSTOMER)

PLANTED = {
    "青い象のぬいぐるみ": 1 / 5000,
    "serial number zx four four": 1 / 5000,
    "再発行の手数料": 1 / 100,
    "refund to my credit card": 1 / 100,
    "折り返しご連絡いたします": 1 / 4,
}
"""Phrase → share of the calls that hold it."""
FREQUENT = "折り返しご連絡いたします"

_FILL = {
    name: text.split("|")
    for name, text in {
        "item": "冷蔵庫|洗濯機|掃除機|炊飯器|電子レンジ|エアコン|扇風機|毛布|布団|枕|椅子|机",
        "place": "札幌|仙台|東京|横浜|千葉|大宮|新潟|金沢|静岡|名古屋|京都|大阪|神戸|岡山|広島|那覇",
        "when": "昨日|今日|明日|先週|来週|今月|来月|月曜日|火曜日|水曜日|木曜日|金曜日|午前中|午後|夕方|夜",
        "state": "届かない|動かない|壊れている|音がする|色が違う|大きさが合わない|傷がある|冷えない",
        "thing": "refrigerator|washer|blanket|pillow|chair|table|lamp|mirror|wallet|watch|router",
        "city": "Sapporo|Sendai|Tokyo|Yokohama|Chiba|Niigata|Kanazawa|Nagoya|Kyoto|Osaka|Kobe|Hiroshima",
        "day": "yesterday|today|tomorrow|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday",
        "trouble": "arrived broken|never arrived|makes a strange noise|is the wrong colour|will not turn on",
    }.items()
}
_JA = (
    "お電話ありがとうございます、{place}コールセンターでございます。",
    "{when}注文した{item}がまだ{state}のですが、どうなっていますか。",
    "かしこまりました、お調べいたしますので少々お待ちください。",
    "{place}の倉庫から{when}発送しております。",
    "{item}の{state}という件でございますね、ご迷惑をおかけしております。",
    "{n}円の{item}を{m}個お願いしたいのですが。",
    "では{when}に{place}へお届けするよう手配いたします。",
    "注文番号は{n}番の{m}です、確認していただけますか。",
    "前にも{item}が{state}ことがあって、{when}にも電話しました。",
    "はい、そうです、{when}でお願いします。",
    "交換と返品のどちらをご希望でしょうか。",
    "{item}の保証期間は{m}年でございます。",
    "ポイントは{n}点たまっておりますので、次回からお使いいただけます。",
    "担当の者に申し伝えます、ほかにご不明な点はございますか。",
)
_EN = (
    "Thank you for calling, this is the {city} support centre, how can I help you?",
    "Hello, the {thing} that I ordered {day} {trouble}.",
    "I am sorry to hear that, let me look into it for you.",
    "The order number is {n} {m}, and it was sent to {city}.",
    "We can send you another {thing} on {day}, would that be all right?",
    "It costs {n} yen, and delivery takes {m} days.",
    "I called {day} as well, and nobody knew about the {thing}.",
    "Yes, please deliver it to {city} on {day}.",
    "Is there anything else that I can do for you?",
    "You have {n} points, which you can use next time.",
)


@dataclass(frozen=True, slots=True)
class Spoken:
    """A call: its sentences, and the one of them, if any, of which a part is redacted."""

    number: int
    language: str
    sentences: list[str]
    hidden: tuple[int, str] | None

    @property
    def call_id(self) -> UUID:
        """Its id."""
        return UUID(int=BASE + self.number)

    @property
    def started_at(self) -> datetime:
        """A call a minute."""
        return START + timedelta(minutes=self.number)

    @property
    def agent_id(self) -> str:
        """Of one of `AGENTS`."""
        return f"agent-{self.number % AGENTS}"

    @property
    def dek(self) -> bytes:
        """Its key."""
        return sha256(f"bench {self.number}".encode()).digest()


def spoken(number: int) -> Spoken:
    """The call of a number."""
    dice = random.Random(number)
    language = "en" if dice.random() < 0.3 else "ja"
    templates = _EN if language == "en" else _JA
    sentences = [_filled(dice.choice(templates), dice) for _ in range(TURNS)]
    for phrase, share in PLANTED.items():
        if dice.random() < share:
            place = dice.randrange(TURNS)
            sentences[place] += f" {phrase}、" if not phrase.isascii() else f" {phrase}."
    hidden = None
    if dice.random() < 0.3:
        told = f"0{dice.randrange(10**8, 10**9)}"
        sentences.append(f"電話番号は{told}です。" if language == "ja" else f"My number is {told}.")
        hidden = (len(sentences) - 1, told)
    return Spoken(number, language, sentences, hidden)


def _filled(template: str, dice: random.Random) -> str:
    fill = {name: dice.choice(some) for name, some in _FILL.items()}
    return template.format(**fill, n=dice.randrange(100, 100_000), m=dice.randrange(1, 10))


def transcript_of(call: Spoken, *, words: bool = True) -> Transcript:
    """What transcribe would have made of it. A word has two characters, as tokens of Japanese have."""
    turns = [_turn(number, text, words=words) for number, text in enumerate(call.sentences)]
    redactions: list[Redaction] = []
    if call.hidden is not None:
        turn, part = call.hidden
        start = call.sentences[turn].index(part)
        place = {"turn": turn, "start": start, "end": start + len(part)}
        times = {"start_ms": turns[turn].start_ms, "end_ms": turns[turn].end_ms}
        redactions = [Redaction(kind=RedactionKind.PHONE_NUMBER, **place, **times)]
    return Transcript(
        call_id=call.call_id,
        language=call.language,
        engine="bench",
        model="rules",
        duration_ms=5000 * len(turns),
        turns=turns,
        redactions=redactions,
    )


def _turn(number: int, text: str, *, words: bool) -> Turn:
    start = 5000 * number
    parts = [text[at : at + 2] for at in range(0, len(text), 2)] if words else []
    said = [
        Word(text=part, start_ms=start + 60 * at, end_ms=start + 60 * at + 60, confidence=0.93)
        for at, part in enumerate(parts)
        if not part.isspace()
    ]
    return Turn(
        channel=number % 2,
        role=_ROLES[number % 2],
        start_ms=start,
        end_ms=start + 4900,
        text=text,
        words=said,
        avg_logprob=-0.2,
        no_speech_prob=0.01,
    )


def hashes_of(key: IndexKey, call: Spoken) -> list[int]:
    """What `otokura.access.search.entries.entries_of` gives, with what recurs remembered; it is compared."""
    terms = _hashed(key, Domain.TERM, f"language:{call.language}", whole=True)
    found = set(terms | _hashed(key, Domain.TERM, "purpose:quality", whole=True))
    for number, text in enumerate(call.sentences):
        shown = text
        if call.hidden is not None:
            found |= _hashed(key, Domain.RAW, text)
            turn, part = call.hidden
            shown = text.replace(part, "[phone-number]") if number == turn else text
        found |= _hashed(key, Domain.REDACTED, shown)
    return sorted(found)


@lru_cache(maxsize=400_000)
def _hashed(key: IndexKey, domain: Domain, text: str, *, whole: bool = False) -> frozenset[int]:
    return frozenset(key.hashes(domain, {text} if whole else pieces(fold(text))))


def hashed_chunk(key: IndexKey, numbers: range) -> list[tuple[int, list[int]]]:
    """Of many calls: for a process of its own."""
    return list(_each(key, numbers))


def _each(key: IndexKey, numbers: range) -> Iterator[tuple[int, list[int]]]:
    for number in numbers:
        yield number, hashes_of(key, spoken(number))
