"""A number is found however it is written, and what may be it is not passed over."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from otokura.access.lifecycle.views import CustomerBody
from otokura.access.numbers import Number, customer_numbers, folded_number
from otokura.shared.events import Direction


@pytest.mark.guarantee("Z11")
@pytest.mark.parametrize(
    "written",
    ["0312345678", "03-1234-5678", "03(1234)5678", "(03) 1234 5678", "03.1234.5678", "03ー1234ー5678",
     "０３－１２３４－５６７８", "＋８１ ３ １２３４ ５６７８", "٠٣-١٢٣٤-٥٦٧٨",
     "+81312345678", "+81 3-1234-5678", "+81 (0)3 1234 5678", "(+81) 3-1234-5678",
     "\u202a+81 3-1234-5678\u202c",
     "0081312345678", "010-81-3-1234-5678",
     "tel:+81-3-1234-5678", "TEL:+81312345678", "tel:03-1234-5678", "tel:+81312345678;ext=5",
     "tel:312345678;phone-context=+81", "tel:0312345678;phone-context=+81",
     "sip:+81312345678@pbx.example", "SIP:0312345678@10.0.0.1:5060",
     "sips:+81312345678@pbx.example;user=phone",
     "sip:%2B81312345678@pbx.example", "sip:0312345678;cpc=ordinary@pbx.example", "sip:0312345678:x@pbx",
     '"山田 太郎" <sip:0312345678@pbx.example>;tag=8a1', "<tel:+81312345678>", "0312345678@pbx.example"],
)  # fmt: skip
def test_one_number_is_one(written: str) -> None:
    assert folded_number(written) == "0312345678"


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("+1 415 555 2671", "+14155552671"),
        ("010-1-415-555-2671", "+14155552671"),
        ("tel:415-555-2671;phone-context=+1", "+14155552671"),
        ("+44 (0)20 7946 0958", "+442079460958"),
        ("+39 06 698 82", "+390669882"),
        ("0033-03-1234-5678", "00330312345678"),
        ("4155552671", "4155552671"),
        ("81312345678", "81312345678"),
        ("0312345678x5", "0312345678x5"),
        ("anonymous", "anonymous"),
        ("Unknown", "unknown"),
        ("sip:alice2041@pbx", "sip:alice2041@pbx"),
        ("sip:2041@pbx", "2041"),
        ("7", "7"),
        ("", ""),
        ("tel:", "tel:"),
    ],
)
def test_others_stay_what_they_are(written: str, folded: str) -> None:
    assert folded_number(written) == folded


@pytest.mark.guarantee("Z11")
@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ("81312345678", "0312345678"),  # E.164 without its plus
        ("312345678", "0312345678"),  # a zero that a spreadsheet lost
        ("1234-5678", "03-1234-5678"),  # dialled within Tokyo
        ("22-1234", "0166-22-1234"),
        ("0,0312345678", "+81312345678"),  # a line's prefix
        ("184-03-1234-5678", "0312345678"),
        ("0033-03-1234-5678", "0312345678"),
        ("0312345678x5", "0312345678"),
        ("03-1234-5678 内線5", "0312345678"),
        ("0312345678,,5#", "+81312345678"),
        ("電話03-1234-5678", "0312345678"),
        ("sip:tokyo0312345678@pbx", "0312345678"),
        ("00312345678", "0312345678"),
        ("14155552671", "+1 415 555 2671"),
        ("4155552671", "+1 415 555 2671"),
        ("00 1 415 555 2671", "+1 415 555 2671"),
        ("020 7946 0958", "+44 20 7946 0958"),
        ("+44 (0)20 7946 0958", "020 7946 0958"),
        ("sip:Alice@pbx.example;transport=tcp", "sip:alice@pbx.example"),
        ('"Alice" <sip:alice@pbx.example>', "sips:alice@pbx.example"),
        ("alice@pbx.example", "sip:alice@pbx.example"),
    ],
)
def test_what_nobody_can_say_is_possible(stored: str, asked: str) -> None:
    one, other = Number.of(stored), Number.of(asked)
    assert one.folded != other.folded
    assert one.could_be(other)
    assert other.could_be(one)


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ("0312345679", "0312345678"),
        ("0612345678", "0312345678"),
        ("+1 415 555 2671", "03-1234-5678"),
        ("2041", "0312342041"),
        ("110", "0311011011"),
        ("anonymous", "0312345678"),
        ("", "0312345678"),
        ("sip:alice@pbx.example", "sip:bob@pbx.example"),
        ("sip:alice@pbx.example", "sip:alice@other.example"),
        ('"0312345678" <sip:alice@pbx.example>', "0312345678"),
    ],
)
def test_others_are_not_possible(stored: str, asked: str) -> None:
    one, other = Number.of(stored), Number.of(asked)
    assert one.folded != other.folded
    assert not one.could_be(other)
    assert not other.could_be(one)


@given(st.text(max_size=64), st.text(max_size=64))
def test_whatever_is_written_can_be_compared(stored: str, asked: str) -> None:
    one, other = Number.of(stored), Number.of(asked)
    assert one.could_be(other) == other.could_be(one)
    assert one.could_be(one)


@pytest.mark.guarantee("Z11")
@pytest.mark.parametrize(
    "number",
    [
        "+81 3-1234-5678",
        "０３－１２３４－５６７８",
        "tel:+81312345678",
        "sip:0312345678@pbx",
        "sip:alice@pbx",
        "110",
    ],
)
def test_a_number_can_be_asked_for_in_every_notation(number: str) -> None:
    assert CustomerBody.model_validate({"numbers": [number]}).numbers == [number]


@pytest.mark.parametrize(
    "number",
    [
        "",
        "12",
        "anonymous",
        "name@example",
        "taro1990@example.com",
        "tel:taro",
        "sip:",
        "sip:pbx",
        "03\x001234",
    ],
)
def test_what_is_no_number_cannot_be_asked_for(number: str) -> None:
    with pytest.raises(ValidationError):
        CustomerBody.model_validate({"numbers": [number]})


def test_an_internal_call_is_of_both_sides() -> None:
    numbers = {"caller": "2041", "callee": "0312345678"}
    assert customer_numbers(Direction.INBOUND, numbers) == ["2041"]
    assert customer_numbers(Direction.OUTBOUND, numbers) == ["0312345678"]
    assert customer_numbers(Direction.INTERNAL, numbers) == ["2041", "0312345678"]
    assert customer_numbers(Direction.OUTBOUND, {"caller": "2041", "callee": None}) == []
