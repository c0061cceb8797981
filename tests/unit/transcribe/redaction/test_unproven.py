"""A number that was misheard proves nothing, and is not shown either; amounts, dates and orders are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otokura.shared.redactions import RedactionPolicy
from otokura.transcribe.redaction import find
from otokura.transcribe.redaction.runs import runs
from redaction_texts import WRITINGS, conversation, write


def found(*said: tuple[int, str], language: str = "ja") -> list[tuple[str, str]]:
    """Kind and text of every redaction."""
    turns = conversation(*said)
    return [
        (one.kind.value, turns[one.turn].text[one.start : one.end])
        for one in find(turns, language, RedactionPolicy())
    ]


@pytest.mark.guarantee("T21")
@pytest.mark.parametrize(
    ("language", "said", "number"),
    [
        ("ja", "8-86-8-8-です。", "8-86-8-8"),
        ("ja", "それは、イチニサン、ゴロク、ハチです。", "イチニサン、ゴロク、ハチ"),
        ("ja", "ええと、0001 2345、それで全部です。", "0001 2345"),
        ("en", "It's four one, double two, nine seven.", "four one, double two, nine seven"),
        ("en", "Sure, 88 421 and then 7.", "88 421 and then 7"),
    ],
)
def test_a_row_of_digits_that_is_called_nothing_is_not_shown(language: str, said: str, number: str) -> None:
    assert found((1, said), language=language) == [("number", number)]


@pytest.mark.guarantee("T21")
@given(
    digits=st.lists(st.integers(0, 9), min_size=6, max_size=18),
    lost=st.integers(0, 5),
    writing=st.sampled_from(WRITINGS),
)
def test_of_a_number_that_was_asked_for_next_to_nothing_is_shown_whatever_was_misheard(
    digits: list[int], lost: int, writing: str
) -> None:
    """A digit left out, so that neither its check nor its length is right; at most three can be read."""
    said = write("".join(map(str, digits[:lost] + digits[lost + 1 :])), writing)
    for asked in ("カード番号をどうぞ。", "マイナンバーをお願いします。", "お電話番号は?", "口座番号を。"):
        turns = conversation((0, asked), (1, f"はい、{said}です。"))
        shown = list(turns[1].text)
        for one in find(turns, "ja", RedactionPolicy()):
            shown[one.start : one.end] = "…" * (one.end - one.start)
        assert sum(len(atom.digits) for run in runs("".join(shown)) for atom in run.atoms) < 4


def test_four_digits_are_shown_unless_they_were_asked_for() -> None:
    assert found((1, "部屋は4012です。")) == []
    assert found((0, "カード番号をどうぞ。"), (1, "4012。")) == [("number", "4012")]


@pytest.mark.guarantee("T21")
def test_what_is_said_in_one_row_with_a_card_number_is_not_shown_either() -> None:
    """Its month and year, and the code on its back."""
    said = "It is 4111 1111 1111 1111, 12/27, and 123, and I want two of them, for 3 years."
    assert found((1, said), language="en") == [
        ("card-number", "4111 1111 1111 1111"),
        ("number", "12/27, and 123"),
    ]


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("ja", "注文番号は10293です。"),
        ("ja", "全部で30,000円、12,980ポイントです。"),
        ("ja", "¥129,800でした。"),
        ("ja", "2024/03/15 14:30に伺います。"),
        ("ja", "2023-2024の実績です。"),
        ("ja", "二千二十四、三百五十です。"),
        ("en", "It was two thousand and twenty four."),
        ("en", "Three hundred and fifty, I think."),
        ("en", "That is $12,500."),
        ("en", "We have 30,000 items, and 12000 people."),
        ("en", "From 10:30 to 12:45, on 2024-03-15."),
        ("en", "Your order is 1029384."),
    ],
)
def test_what_is_counted_paid_or_dated_is_shown(language: str, said: str) -> None:
    assert found((1, said), language=language) == []


def test_a_tenant_may_want_them_shown() -> None:
    turns = conversation((1, "8-86-8-8-です。"))
    assert find(turns, "ja", RedactionPolicy(off=frozenset({"number"}))) == []
