"""Which ids turns have: of their own, kept when they are revised, never one of two."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from live_partials import turn
from otokura.ingest.told import Told
from otokura.shared.live_text import Place
from otokura.shared.transcripts import PartialTurn

CALL, SESSION = UUID(int=2), UUID(int=3)


def tell(told: Told, *turns: PartialTurn) -> dict[Place, str]:
    """All of it is told in one message; the ids that it had."""
    by_place = {(one.channel, one.start_ms): one for one in turns}
    news = {place: one for place, one in by_place.items() if place not in told.finals}
    told.name(CALL, news)
    ids = dict(told.ids)
    for place, one in (news | told.gone(news)).items():
        told.note(place, one, SESSION, 1)
    return ids


@pytest.mark.guarantee("T82")
def test_an_id_is_the_same_in_every_process_and_of_one_turn_alone() -> None:
    """Where its beginning did not move; another call's, channel's or time's differs."""
    draft, final = turn(0, 640, "もし", False), turn(0, 640, "もしもし。", True)
    told = Told()
    assert tell(told, draft)[0, 640] == tell(told, final)[0, 640] == tell(Told(), final)[0, 640]
    ids = tell(told, turn(1, 640, "はい", False), turn(0, 1641, "はい", False))
    assert len({UUID(one) for one in ids.values()}) == 3


def test_a_turn_takes_the_place_of_the_draft_that_it_overlaps_most() -> None:
    """In its channel; what is elsewhere, or still there, keeps its own."""
    told = Told()
    before = tell(told, turn(0, 0, "a", False), turn(0, 600, "b", False), turn(1, 500, "c", False))
    after = tell(told, turn(0, 500, "b.", True), turn(1, 500, "c c", False))
    assert after[0, 500] == before[0, 600]
    assert after[1, 500] == before[1, 500]
    assert set(told.drafts) == {(1, 500)}
    assert set(told.ids) == {(0, 500), (1, 500)}


def test_an_id_that_moved_away_is_not_given_again() -> None:
    """A later turn that begins where the first draft did is another one."""
    told = Told()
    first = tell(told, turn(0, 100, "a", False))[0, 100]
    assert tell(told, turn(0, 300, "a.", True))[0, 300] == first
    assert tell(told, turn(0, 100, "b", False))[0, 100] != first


def test_what_the_client_has_not_heard_is_news_again() -> None:
    """By the number that it names, of that session alone; under the id that it had."""
    told = Told({(0, 1): (SESSION, 4), (0, 2): (SESSION, 5), (0, 3): (UUID(int=9), 9)})
    told.name(CALL, {(0, 2): turn(0, 2, "b", True)})
    kept = told.ids[0, 2]
    told.heard(SESSION, 4)
    assert set(told.finals) == {(0, 1), (0, 3)}
    told.name(CALL, {(0, 2): turn(0, 2, "b", True)})
    assert told.ids[0, 2] == kept


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 1), st.integers(0, 30), st.booleans()), max_size=6), max_size=30
    )
)
def test_no_two_turns_have_one_id_and_nothing_is_kept_of_what_came_to_nothing(
    rounds: list[list[tuple[int, int, bool]]],
) -> None:
    told = Told()
    for said in rounds:
        tell(told, *(turn(channel, tenth * 100, "x", final) for channel, tenth, final in said))
        assert len(set(told.ids.values())) == len(told.ids)
        assert told.ids.keys() == told.finals.keys() | told.drafts.keys()
