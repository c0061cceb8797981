"""Where a phrase stands, when it was said, and what of the text around it is shown."""

from __future__ import annotations

from uuid import UUID

import pytest

from otokura.access.search.matching import AROUND, SHOWN, match
from otokura.access.search.text import fold
from otokura.shared.redacted import redacted
from searched_calls import saying

CALL = UUID(int=2)
CARD = "4111 1111 1111 1111"


def test_a_place_has_its_turn_its_time_and_its_words() -> None:
    found = match(saying("はい", "あのう、カイ ヤクしたいです")(CALL), fold("かいやく"))
    assert found is not None
    [place] = found.highlights
    assert (found.count, place.turn, place.channel, place.role) == (1, 1, 1, "customer")
    assert place.text[place.start : place.end] == "カイ ヤク"
    assert (place.start_ms, place.end_ms) == (1040, 1090)
    assert place.text == "あのう、カイ ヤクしたいです"


def test_a_long_turn_is_shown_around_the_place_only() -> None:
    found = match(saying(f"{'あ' * 100}解約{'い' * 100}")(CALL), "解約")
    assert found is not None
    [place] = found.highlights
    assert place.text == f"{'あ' * AROUND}解約{'い' * AROUND}"
    assert (place.start, place.end) == (AROUND, AROUND + 2)


def test_all_places_are_counted_and_the_first_are_shown() -> None:
    found = match(saying("解約" * 4, "解約、解約。解約")(CALL), "解約")
    assert found is not None
    assert (found.count, len(found.highlights)) == (7, SHOWN)


def test_pieces_without_the_phrase_are_no_match() -> None:
    assert match(saying("解約と約束", "束解")(CALL), "約束解") is None
    assert match(saying("解", "約")(CALL), "解約") is None


@pytest.mark.guarantee("R42")
def test_what_is_redacted_is_not_matched_and_not_shown() -> None:
    said = saying(f"番号は{CARD}です", hidden=[CARD])(CALL)
    assert match(said, fold(CARD)) is not None
    assert match(redacted(said), fold("1111")) is None
    found = match(redacted(said), fold("番号は"))
    assert found is not None
    assert found.highlights[0].text == "番号は[card-number]です"


def test_words_without_a_place_in_the_text_have_the_time_of_the_turn() -> None:
    said = saying("解約したい")(CALL)
    bare = said.model_copy(update={"turns": [said.turns[0].model_copy(update={"words": []})]})
    found = match(bare, "解約")
    assert found is not None
    assert (found.highlights[0].start_ms, found.highlights[0].end_ms) == (0, 900)
