"""Numerals are held back until nobody can be in the middle of a number; then redaction decides."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from live_words import audio, chunk, segment, sentence, word
from otokura.shared.redactions import RedactionPolicy
from otokura.shared.transcripts import PartialTranscript
from otokura.transcribe.engine import HeardWord
from otokura.transcribe.live.call import LiveCall, Resumed

ENGLISH_NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
KATAKANA_NAMES = ("ゼロ", "イチ", "ニイ", "サン", "ヨン", "ゴー", "ロク", "ナナ", "ハチ", "キュー")
ENGLISH = dict(zip("0123456789", ENGLISH_NAMES, strict=True))
KATAKANA = dict(zip("0123456789", KATAKANA_NAMES, strict=True))
KANJI = dict(zip("0123456789", "〇一二三四五六七八九", strict=True))
WRITTEN = {digit: digit for digit in "0123456789"}
SPELLINGS = {"written": WRITTEN, "english": ENGLISH, "katakana": KATAKANA, "kanji": KANJI}


def luhn(body: str) -> str:
    """`body` with its check digit."""
    total = 0
    for n, digit in enumerate(reversed(body)):
        value = int(digit) * (2 if n % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return body + str(-total % 10)


def card(start: str, rest: str) -> str:
    """A number of 16 digits of an issuer."""
    return luhn((start + rest)[:15])


cards = st.builds(card, st.sampled_from(["4", "51", "55"]), st.text("0123456789", min_size=14, max_size=14))


def spoken(
    number: str, spelling: str, groups: list[int], pauses: list[int], start: int
) -> list[list[HeardWord]]:
    """The words of a number, in groups with pauses between them."""
    space = "" if spelling in ("katakana", "kanji") else " "
    clock, at, found = start, 0, list[list[HeardWord]]()
    for size, pause in zip(groups, pauses, strict=True):
        row: list[HeardWord] = []
        for digit in number[at : at + size]:
            row.append(word(space + SPELLINGS[spelling][digit], clock, clock + 250))
            clock += 250
        found.append(row)
        at += size
        clock += pause
    return found


def partials(
    said: list[HeardWord], until_ms: int, language: str, *, ends: bool, agent: list[HeardWord] | None = None
) -> Iterator[PartialTranscript]:
    """All partials of a call in which the customer, and the agent, say words."""
    call = LiveCall(chunk(0, 0, 0), Resumed(1, 0, (0, 0)), RedactionPolicy())
    call.language = language
    seq = 0
    for clock in range(0, until_ms, 500):
        call.take(chunk(seq, clock, 500), audio(500))
        seq += 1
        yield from _heard(call, (agent or [], said))
    if ends:
        call.take(chunk(seq, until_ms, 0, ended=True), b"")
        while not call.finished:
            yield from _heard(call, (agent or [], said))


def _heard(call: LiveCall, said: tuple[list[HeardWord], list[HeardWord]]) -> Iterator[PartialTranscript]:
    for channel in call.channels:
        if call.fresh_ms(channel) == 0:
            continue
        window = call.window(channel)
        words = [
            w.model_copy(
                update={"start_ms": w.start_ms - window.begin_ms, "end_ms": w.end_ms - window.begin_ms}
            )
            for w in said[channel]
            if w.start_ms >= window.begin_ms and w.end_ms <= window.end_ms
        ]
        call.heard(window, segment(words))
    partial = call.partial()
    if partial is not None:
        yield partial


def digits_shown(partial: PartialTranscript) -> str:
    """Every numeral that a reader can see, as digits."""
    text = " ".join(turn.text for turn in partial.turns)
    for spelling in SPELLINGS.values():
        for digit, name in spelling.items():
            text = re.sub(rf"\b{name}\b" if name.isascii() and name.isalpha() else name, digit, text)
    return "".join(re.findall(r"\d", text))


@pytest.mark.guarantee("T43")
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    cards,
    st.sampled_from(sorted(SPELLINGS)),
    st.sampled_from([[16], [4, 4, 4, 4], [8, 8], [6, 10], [1, 3, 12]]),
    st.lists(st.integers(0, 6000), min_size=5, max_size=5),
    st.booleans(),
)
def test_no_part_of_a_card_number_is_ever_shown(
    number: str, spelling: str, groups: list[int], pauses: list[int], ends: bool
) -> None:
    """However it is spelled, grouped and interrupted, in no partial of the call does a digit of it appear."""
    assume(sum(groups) == len(number))
    rows = spoken(number, spelling, groups, pauses[: len(groups)], 1000)
    said = [w for row in rows for w in row]
    language = "en" if spelling in ("english", "written") else "ja"
    shown = [digits_shown(one) for one in partials(said, said[-1].end_ms + 3000, language, ends=ends)]
    assert shown
    assert [digits for digits in shown if digits] == []


@pytest.mark.guarantee("T43")
def test_a_card_number_that_is_whole_is_named_and_not_shown() -> None:
    """When the call goes on, the number becomes its kind, finally."""
    rows = spoken("4111111111111111", "english", [4, 4, 4, 4], [900, 900, 900, 0], 2000)
    said = sentence("my card is", 1000) + [w for row in rows for w in row]
    said += sentence("and that is all I have to say about it", said[-1].end_ms + 1500)
    last = list(partials(said, said[-1].end_ms + 6000, "en", ends=True))[-1]
    text = " ".join(turn.text for turn in last.turns if turn.final)
    assert "[card-number]" in text
    assert "four" not in text
    assert "one" not in text.split()


def test_an_amount_is_shown_once_its_turn_is_closed() -> None:
    """What is followed by other words begins no number: it is held back no longer than its turn."""
    said = sentence("it costs 300 dollars and not more", 1000)
    seen = [" ".join(t.text for t in one.turns) for one in partials(said, 8000, "en", ends=False)]
    assert any("[…]" in text for text in seen)
    assert seen[-1] == "it costs 300 dollars and not more"


def test_what_one_party_repeats_is_held_back_while_the_other_is_in_the_middle() -> None:
    """The agent's echo of the first half shows no more than the customer's own words."""
    customer, agent = sentence("4111 1111", 500), sentence("so 4111 1111 go on please", 2500)
    last = list(partials(customer, 8000, "en", ends=False, agent=agent))[-1]
    assert [(turn.channel, turn.text, turn.final) for turn in last.turns] == [
        (1, "[…]", False),
        (0, "so […] go on please", False),
    ]
