"""Where a reader of live text who was cut off goes on."""

from __future__ import annotations

import pytest

from otokura.access.live.stream import position_of
from otokura.shared.live_hub import BEGINNING


@pytest.mark.parametrize(
    ("given_id", "expected"),
    [("2.17", (2, 17)), (None, BEGINNING), ("", BEGINNING), ("x.1", BEGINNING), ("1." + "9" * 40, BEGINNING)],
)
def test_a_last_event_id_that_is_none_of_ours_begins_anew(
    given_id: str | None, expected: tuple[int, int]
) -> None:
    """Whatever a client sends there, it is no error."""
    assert position_of(given_id) == expected
