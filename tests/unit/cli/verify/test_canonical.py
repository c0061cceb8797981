"""The verifier's canonical JSON is RFC 8785's, as another implementation writes it."""

from __future__ import annotations

import math

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from otokura.cli.verify.canonical import canonical_json

safe_integers = st.integers(-(2**53) + 1, 2**53 - 1)
numbers = st.one_of(safe_integers, st.floats(allow_nan=False, allow_infinity=False))
text = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, text),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(text, inner)),
)


@given(values)
def test_it_writes_what_another_implementation_writes(value: object) -> None:
    assert canonical_json(value) == rfc8785.dumps(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (333333333.33333329, "333333333.3333333"),
        (1e30, "1e+30"),
        (4.50, "4.5"),
        (2e-3, "0.002"),
        (0.000000000000000000000000001, "1e-27"),
        (-0.0, "0"),
        (1e21, "1e+21"),
        (999999999999999900000.0, "999999999999999900000"),
        (0.000001, "0.000001"),
        (0.0000001, "1e-7"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        ({"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\u0080": 6, "\u00f6": 7},
         '{"\\r":2,"1":4,"\u0080":6,"\u00f6":7,"\u20ac":1,"\U0001f600":5,"\ufb33":3}'),
        ('\u20ac$\u000f\nA\'B"\\\\"/', '"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'),
        ([], "[]"),
        ({}, "{}"),
        ([None, True, False], "[null,true,false]"),
    ],
)  # fmt: skip
def test_the_examples_of_the_rfc(value: object, written: str) -> None:
    assert canonical_json(value).decode() == written


@pytest.mark.parametrize("value", [math.nan, math.inf, 2**53, -(2**53), {1, 2}, b"bytes", {"a": object()}])
def test_what_is_not_json_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        canonical_json(value)
