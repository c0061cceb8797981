"""What may stand in a phrase, and what it matches: no more, whatever the text, and never slowly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otokura.shared.insight.phrases import GAP_CHARACTERS, GAP_WORDS, parse
from otokura.transcribe.insight.matching import said
from otokura.transcribe.insight.reading import Reading
from transcripts import spoken, turn


def found(phrase: str, text: str, unless: str | None = None) -> list[str]:
    reading = Reading(0, turn(text))
    void = [parse(unless)] if unless else []
    return [text[start:end] for start, end in said(reading, [parse(phrase)], void)]


@pytest.mark.parametrize(
    ("phrase", "text", "words"),
    [
        ("pro", "a promise of a pro", ["pro"]),
        ("call back", "Call BACK!", ["Call BACK"]),
        ("call back", "call. Back", []),
        ("I'll call", "I’ll  call", ["I’ll  call"]),
        ("call * back", "call him and her back, call me back", ["call him and her back", "call me back"]),
        ("call * back", "call a b c d e back", []),
        ("will (call|ring|) you", "I will you, will ring you", ["will you", "will ring you"]),
        ("折り返し*連絡", "折り返し、明日 ご連絡", ["折り返し、明日 ご連絡"]),
        ("折り返し*連絡", "折り返します。ご連絡", []),
        ("カード", "ｶｰﾄﾞとカード", ["カード"]),
        ("ＳＮＳ", "sNsです", []),
        ("SNSで", "ｓｎｓで", ["ｓｎｓで"]),
        ("しますか。", "しますか？しますから。しますか", ["しますか？", "しますか"]),
        ("done.", "It is done. Done it", ["done."]),
        ("土下座", "土 下座", ["土 下座"]),
    ],
)
def test_a_phrase_matches_what_it_says(phrase: str, text: str, words: list[str]) -> None:
    assert found(phrase, text) == words


def test_a_gap_is_bounded() -> None:
    assert found("頭*尾", f"頭{'あ' * GAP_CHARACTERS}尾")
    assert not found("頭*尾", f"頭{'あ' * (GAP_CHARACTERS + 1)}尾")
    assert found("head * tail", f"head {'x ' * GAP_WORDS}tail")
    assert not found("head * tail", f"head {'x ' * (GAP_WORDS + 1)}tail")


def test_a_match_that_touches_an_exception_does_not_count() -> None:
    assert found("不満", "不満です。不満はありません。", "不満*ありません") == ["不満"]


@pytest.mark.parametrize(
    ("phrase", "why"),
    [
        ("*abc", "begins and ends"),
        ("abc*", "begins and ends"),
        ("(a|) bc", "begins and ends"),
        ("。。", "begins and ends"),
        ("。あい", "begins and ends"),
        ("a(b|(c|d))", "nest"),
        ("a|b", "nest"),
        ("ab)", "nest"),
        ("ab (c*|d) ef", "between alternatives"),
        ("ab*cd*ef*gh*ij", "3 gaps"),
        ("あ", "one character"),
        ("あ。", "one character"),
        ("a", "one character"),
        ("!!!", "begins and ends"),
    ],
)
def test_what_cannot_be_a_phrase_says_why(phrase: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse(phrase)


@pytest.mark.guarantee("T32")
def test_no_phrase_is_slow_on_a_text_made_for_it() -> None:
    """A backtracking expression of this form would not end; counted in steps, not in time."""
    tokens = ["ああ"] * 5_000
    reading = Reading(0, spoken(tokens, word_ms=1))
    phrase = parse("ああ*(ああ|あああ)*(ああ|あああ)*いい")
    assert said(reading, [phrase], []) == []


@given(st.text("ab あい。*()|'.", max_size=20), st.text("ab あい。'.", max_size=40))
def test_every_phrase_is_refused_or_stands_in_what_it_finds(phrase: str, text: str) -> None:
    try:
        parsed = parse(phrase)
    except ValueError:
        return
    reading = Reading(0, turn(text))
    places = said(reading, [parsed], [])
    assert all(0 <= start < end <= len(text) for start, end in places)
    assert places == sorted(set(places))
