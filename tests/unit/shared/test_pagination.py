from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otokura.shared.errors import BadRequest
from otokura.shared.pagination import Cursor, Page


class CallCursor(Cursor):
    started_at: datetime
    id: UUID


@given(started_at=st.datetimes(timezones=st.just(UTC)), id_=st.uuids())
def test_a_cursor_comes_back_as_it_went(started_at: datetime, id_: UUID) -> None:
    cursor = CallCursor(started_at=started_at, id=id_)
    assert CallCursor.decode(cursor.encode()) == cursor


def test_no_cursor_is_the_beginning() -> None:
    assert CallCursor.decode(None) is None


@pytest.mark.parametrize("text", ["", "!", "e30", "bnVsbA", "é", "AAAA", "eyJpZCI6MX0=", "a" * 5])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="not one of this list"):
        CallCursor.decode(text)


@given(text=st.text())
def test_text_that_encode_did_not_write_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        CallCursor.decode(text)


def test_a_page_says_how_to_go_on() -> None:
    assert Page[int](items=[1], next_cursor="x").model_dump() == {"items": [1], "next_cursor": "x"}
    assert Page[int](items=[]).model_dump() == {"items": [], "next_cursor": None}
