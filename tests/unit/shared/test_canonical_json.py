import math
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from otokura.shared.canonical_json import canonical_json

integers = st.integers(min_value=-(2**53) + 1, max_value=2**53 - 1)
scalars = st.none() | st.booleans() | integers | st.floats(allow_nan=False, allow_infinity=False) | st.text()
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


@given(json_values)
def test_is_rfc_8785(value: Any) -> None:
    assert canonical_json(value) == rfc8785.dumps(value)


@given(st.dictionaries(st.text(st.characters(max_codepoint=127)), st.text() | integers))
def test_is_rfc_8785_on_the_fast_path(value: Any) -> None:
    assert canonical_json(value) == rfc8785.dumps(value)


def test_escapes_as_rfc_8785_section_3_2_2_2_says() -> None:
    assert canonical_json({"a": '\x00\x1f\b\t\n\f\r"\\\x7f/ü'}) == (
        b'{"a":"\\u0000\\u001f\\b\\t\\n\\f\\r\\"\\\\\x7f/\xc3\xbc"}'
    )


@pytest.mark.parametrize("value", [2**53, -(2**53), math.nan, math.inf, "\ud800", {"a": [2**60]}])
def test_refuses_what_is_not_i_json(value: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the library's own messages
        canonical_json(value)


@pytest.mark.parametrize("value", [{1: "a"}, object(), b"bytes", {"a": {1, 2}}])
def test_refuses_what_is_not_json(value: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        canonical_json(value)
