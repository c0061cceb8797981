"""Numbers of people are found however they are written or said, and other numbers are left alone."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from otokura.shared.redactions import RedactionKind, RedactionPolicy
from otokura.transcribe.redaction import find
from redaction_texts import WRITINGS, conversation, with_luhn, write

EVERYTHING = RedactionPolicy()


def found(*said: tuple[int, str], language: str = "ja") -> list[tuple[int, str, str]]:
    """Turn, kind and text of every redaction."""
    turns = conversation(*said)
    return [
        (one.turn, one.kind.value, turns[one.turn].text[one.start : one.end])
        for one in find(turns, language, EVERYTHING)
    ]


@pytest.mark.guarantee("T20")
@given(
    payload=st.lists(st.integers(0, 9), min_size=12, max_size=18),
    writing=st.sampled_from(WRITINGS),
    language=st.sampled_from(["ja", "en"]),
)
def test_every_number_that_passes_luhn_is_found_however_it_is_written(
    payload: list[int], writing: str, language: str
) -> None:
    """13 to 19 digits, nothing said about what they are."""
    number = write(with_luhn(payload), writing)
    assert ("card-number", number) in [
        one[1:] for one in found((1, f"それは {number} 。"), language=language)
    ]


@pytest.mark.guarantee("T20")
@given(
    payload=st.lists(st.integers(0, 9), min_size=15, max_size=15),
    writing=st.sampled_from(["plain", "full-width", "kanji", "katakana", "english"]),
    cuts=st.tuples(st.integers(2, 7), st.integers(9, 14)),
)
def test_a_number_that_is_dictated_over_turns_is_found_whole(
    payload: list[int], writing: str, cuts: tuple[int, int]
) -> None:
    """What the listener says in between, and says again, changes nothing and is not shown either."""
    digits = with_luhn(payload)
    parts = [write(digits[a:b], writing) for a, b in ((0, cuts[0]), (cuts[0], cuts[1]), (cuts[1], 16))]
    turns = [
        (1, f"ええと、{parts[0]}"),
        (0, "はい。"),
        (1, parts[1]),
        (0, "はい、どうぞ。"),
        (1, f"{parts[2]}です。"),
    ]
    assert found(*turns) == [
        (0, "card-number", parts[0]),
        (2, "card-number", parts[1]),
        (4, "card-number", parts[2]),
    ]


@pytest.mark.guarantee("T20")
def test_what_an_agent_repeats_is_redacted_too() -> None:
    """Half a card number is nothing by itself: next to the whole one it is half of it."""
    assert found(
        (0, "カード番号をお願いします。"), (1, "4111 1111"), (0, "4111 1111、はい。"), (1, "1111 1111です。")
    ) == [
        (1, "card-number", "4111 1111"),
        (2, "card-number", "4111 1111"),
        (3, "card-number", "1111 1111"),
    ]


@pytest.mark.guarantee("T21")
@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("〇九〇の一二三四の五六七八です。", "〇九〇の一二三四の五六七八"),
        (
            "ゼロキュウゼロ、イチニサンヨン、ゴロクナナハチです。",
            "ゼロキュウゼロ、イチニサンヨン、ゴロクナナハチ",
        ),
        ("れいきゅうれいいちにさんしごろくしちはちになります。", "れいきゅうれいいちにさんしごろくしちはち"),
        ("090-1234-5678に電話をください。", "090-1234-5678"),
        ("まるきゅうまるの1234の五六七八。", "まるきゅうまるの1234の五六七八"),
        ("0120-444-444は通じません。", "0120-444-444"),
    ],
)
def test_japanese_telephone_numbers(said: str, number: str) -> None:
    assert found((1, said)) == [(0, "phone-number", number)]


@pytest.mark.guarantee("T21")
@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("Call me on four one five, double five five, 2671.", "four one five, double five five, 2671"),
        ("It is (415) 555-2671.", "(415) 555-2671"),
        ("From abroad, +44 20 7946 0958.", "+44 20 7946 0958"),
        ("My phone is oh two oh, seven nine four six, 0958.", "oh two oh, seven nine four six, 0958"),
    ],
)  # fmt: skip
def test_english_telephone_numbers(said: str, number: str) -> None:
    assert [(kind, text.strip("(+")) for _, kind, text in found((1, said), language="en")] == [
        ("phone-number", number.strip("(+"))
    ]


@pytest.mark.guarantee("T21")
@given(payload=st.lists(st.integers(0, 9), min_size=11, max_size=11), writing=st.sampled_from(WRITINGS))
def test_my_numbers_that_pass_their_check_are_found(payload: list[int], writing: str) -> None:
    """The formula of the ministerial ordinance no. 85 of 2014, article 5."""
    weights = (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
    rest = sum(weight * digit for weight, digit in zip(weights, payload, strict=True)) % 11
    digits = "".join(map(str, payload)) + str(0 if rest <= 1 else 11 - rest)
    number = write(digits, writing)
    assert ("my-number", number) in [one[1:] for one in found((1, f"マイナンバーは {number} です。"))]


def test_what_is_called_a_card_number_is_one_although_a_digit_was_misheard() -> None:
    said = "4111 1111 1111 1112"
    assert found((0, "カード番号をどうぞ。"), (1, f"{said}です。")) == [(1, "card-number", said)]


@pytest.mark.parametrize(
    "said",
    [
        "注文番号は1029384756です。",
        "合計で12,980円、送料は660円でございます。",
        "2024年3月15日の14時30分に届きました。",
        "内線の4012におつなぎします。",
        "ご飯に行くので、二時に三人で一緒にお願いします。",
        "お客様番号は0045678123ですね。",
    ],
)
def test_other_numbers_are_left_alone(said: str) -> None:
    assert found((1, said)) == []


def test_a_kind_that_the_tenant_does_not_redact_stays() -> None:
    turns = conversation((1, "電話は090-1234-5678、メールはa@example.jpです。"))
    policy = RedactionPolicy(off=frozenset({"phone-number"}))
    assert [one.kind for one in find(turns, "ja", policy)] == [RedactionKind.EMAIL]


@pytest.mark.guarantee("T20")
@pytest.mark.parametrize("language", ["ja", "en", "fr"])
@given(
    rest=st.text("0123456789", min_size=6, max_size=10), prefix=st.sampled_from(["010", "011", "00", "000"])
)
@example(prefix="010", rest="2100000")
def test_a_number_that_dials_a_country_that_there_is_not_is_hidden_all_the_same(
    language: str, prefix: str, rest: str
) -> None:
    """010 2100 000: 010 dials abroad from Japan, and no country has the code 210."""
    digits = prefix + rest
    assert found((1, f"{digits} です。"), language=language) != []
