from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otokura.shared.errors import RangeNotSatisfiable
from otokura.shared.ranges import ByteRange, parse_range


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-499", 0, 500),
        ("bytes=500-", 500, 1000),
        ("bytes=500-99999", 500, 1000),
        ("bytes=999-", 999, 1000),
        ("bytes=-1", 999, 1000),
        ("bytes=-5000", 0, 1000),
        ("BYTES=0-1", 0, 2),
        ("bytes=0000-0001", 0, 2),
        ("bytes=0-" + "9" * 6000, 0, 1000),
        ("bytes=-" + "9" * 6000, 0, 1000),
    ],
)
def test_one_range_is_read(header: str, start: int, stop: int) -> None:
    assert parse_range(header, 1000) == ByteRange(start, stop, 1000)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=5-4",
        "bytes=0-1,5-6",
        "bytes=1 -2",
        "bytes=+1-2",
        "bytes=0x1-2",
        "bytes=１-2",
        "seconds=0-1",
        "items=0-1",
    ],
)
def test_what_is_not_one_range_of_bytes_is_answered_with_the_whole(header: str | None) -> None:
    assert parse_range(header, 1000) is None


@pytest.mark.parametrize(
    "header", ["bytes=1000-", "bytes=1000-1001", "bytes=-0", "bytes=" + "9" * 6000 + "-"]
)
def test_a_range_past_the_end_is_not_satisfiable(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable) as caught:
        parse_range(header, 1000)
    assert caught.value.headers == {"Content-Range": "bytes */1000"}


def test_nothing_has_no_first_byte_and_its_last_bytes_are_the_whole() -> None:
    with pytest.raises(RangeNotSatisfiable):
        parse_range("bytes=0-", 0)
    assert parse_range("bytes=-5", 0) is None


def test_the_last_position_of_content_range_is_inclusive() -> None:
    assert ByteRange(0, 500, 1000).content_range == "bytes 0-499/1000"
    assert ByteRange(0, 500, 1000).length == 500


@pytest.mark.parametrize(
    ("if_range", "etag", "honoured"),
    [
        ('"a"', '"a"', True),
        ('"a"', '"b"', False),
        ('"a"', None, False),
        ('W/"a"', 'W/"a"', False),
        ("Wed, 21 Oct 2015 07:28:00 GMT", '"a"', False),
    ],
)
def test_a_range_counts_only_for_the_representation_it_was_meant_for(
    if_range: str, etag: str | None, honoured: bool
) -> None:
    found = parse_range("bytes=0-1", 1000, if_range=if_range, etag=etag)
    assert (found is not None) is honoured


@given(header=st.text() | st.from_regex(r"bytes=[0-9]{0,25}-[0-9]{0,25}"), size=st.integers(0, 10**15))
def test_a_range_never_leaves_the_representation(header: str, size: int) -> None:
    try:
        found = parse_range(header, size)
    except RangeNotSatisfiable:
        return
    assert found is None or 0 <= found.start < found.stop <= size
