"""What may be the customer's is neither erased nor given, nor passed over, before somebody has said so."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest

from otokura.access.errors import PossibleMatches
from otokura.access.identity.subject import Reader
from otokura.access.lifecycle import erasures
from otokura.access.lifecycle.customers import Found
from otokura.access.lifecycle.views import CallSelection
from otokura.access.state import AccessState

STATE, OFFICER = cast("AccessState", SimpleNamespace()), cast("Reader", SimpleNamespace())
SURE, MAYBE, CLOSED = uuid4(), uuid4(), uuid4()


async def chosen(monkeypatch: pytest.MonkeyPatch, found: Found, **customer: Any) -> Found:
    async def select(*_: object) -> Found:
        return found

    monkeypatch.setattr(erasures, "select_calls", select)
    selection = CallSelection.model_validate({"customer": {"numbers": ["0312345678"], **customer}})
    return await erasures.chosen_calls(STATE, selection, OFFICER)


@pytest.mark.guarantee("Z11")
async def test_nothing_is_chosen_before_it_is_said_what_becomes_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(PossibleMatches) as refused:
        await chosen(monkeypatch, Found([SURE], [CLOSED], [MAYBE]))
    assert (refused.value.status, refused.value.extensions) == (422, {"possible": 1})


@pytest.mark.guarantee("Z11")
async def test_they_are_left_or_included_as_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Found([SURE], [CLOSED], [MAYBE])
    left = await chosen(monkeypatch, found, possible="leave")
    included = await chosen(monkeypatch, found, possible="include")
    assert (left.call_ids, left.unreadable, left.possible) == ([SURE], [CLOSED], [MAYBE])
    assert (included.call_ids, included.unreadable, included.possible) == ([SURE, MAYBE], [CLOSED], [MAYBE])
    assert (await chosen(monkeypatch, Found([SURE]))).call_ids == [SURE]
