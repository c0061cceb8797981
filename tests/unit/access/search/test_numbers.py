"""A number is found however it is written."""

from __future__ import annotations

import pytest

from otokura.access.search.numbers import folded_number


@pytest.mark.parametrize(
    "written",
    ["+81 3-1234-5678", "03(1234)5678", "０３－１２３４－５６７８", "+81 (0)3 1234 5678", "0081312345678",
     "tel:+81-3-1234-5678", "sip:+81312345678@pbx.example"],
)  # fmt: skip
def test_one_number_is_one(written: str) -> None:
    assert folded_number(written) == "0312345678"


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("+1 415 555 2671", "+14155552671"),
        ("4155552671", "4155552671"),
        ("anonymous", "anonymous"),
        ("Unknown", "unknown"),
        ("sip:alice2041@pbx", "sip:alice2041@pbx"),
        ("sip:2041@pbx", "2041"),
        ("7", "7"),
    ],
)
def test_others_stay_what_they_are(written: str, folded: str) -> None:
    assert folded_number(written) == folded
