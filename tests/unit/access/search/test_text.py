"""Text is compared as people mean it, and whatever stands in a text is found by its pieces."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otokura.access.search.text import fold, fold_with_places, pieces

SAID = st.text(
    st.one_of(
        st.sampled_from("あいうアイウガｶﾞー々東京駅解約、。「」 　,.!?'’-1２３abcABCＡｂéßŒ½㈱ﾞ゛①"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=60,
)


def whole(text: str) -> list[int]:
    """Where a text may be cut: not between a letter and its marks."""
    marks = ("\uff9e", "\uff9f")
    cuts = [
        at
        for at, one in enumerate(text)
        if at == 0 or not (unicodedata.category(one).startswith("M") or one in marks)
    ]
    return [*cuts, len(text)]


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("お電話、ありがとうございます。", "お電話ありがとうございます"),
        ("アリガトウ", "ありがとう"),
        ("ｱﾘｶﾞﾄｳ", "ありがとう"),
        ("か\u3099っこう", "がっこう"),
        ("ﾊﾟｿｺﾝ", "ぱそこん"),
        ("ラーメン", "らーめん"),
        ("Amazon プライム", "amazonぷらいむ"),
        ("東京　駅", "東京駅"),
        ("THE   Cat, sat", "the cat sat"),
        ("I don’t know", "i dont know"),
        ("１，０００円", "1000円"),
        ("1, 000", "1 000"),
        ("e-mail", "e mail"),
        ("①番", "1番"),
        ("Straße", "strasse"),
        ("「」、。 !?", ""),
        ("", ""),
    ],
)
def test_what_is_compared(text: str, folded: str) -> None:
    assert fold(text) == folded
    assert fold_with_places(text).text == folded


@pytest.mark.guarantee("R41")
@given(SAID, st.data())
def test_what_stands_in_a_text_is_a_candidate_and_found_there(text: str, data: st.DataObject) -> None:
    """No false negative, whatever part of whatever text is looked for."""
    cuts = whole(text)
    start = data.draw(st.sampled_from(cuts))
    end = data.draw(st.sampled_from([cut for cut in cuts if cut >= start]))
    phrase = fold(text[start:end])
    assert phrase in fold(text)
    assert pieces(phrase) <= pieces(fold(text))
    if phrase:
        found = [fold(text[first:last]) for first, last in fold_with_places(text).find(phrase)]
        assert found
        assert all(phrase in one for one in found)


@given(SAID)
def test_places_are_those_of_the_text(text: str) -> None:
    folded = fold_with_places(text)
    assert folded.text == fold(text)
    assert len(folded.starts) == len(folded.ends) == len(folded.text)
    assert folded.starts == sorted(folded.starts)
    for start, end in zip(folded.starts, folded.ends, strict=True):
        assert 0 <= start < end <= len(text)


@given(SAID)
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize(
    ("folded", "found"),
    [
        ("解約", {"解約"}),
        ("解約し", {"解約", "約し"}),
        ("abc", {"abc"}),
        ("abcd", {"abc", "bcd"}),
        ("a cat", {"a c", " ca", "cat"}),
        ("ab約", {"ab約", "b約"}),
        ("a約", {"a約"}),
        ("約a", {"約a"}),
        ("ab", set()),
        ("約", set()),
        ("", set()),
    ],
)
def test_pieces(folded: str, found: set[str]) -> None:
    assert pieces(folded) == found


def test_a_place_is_where_the_phrase_was_written() -> None:
    text = "はい、アリ ガトウ、ございます"
    [(start, end)] = fold_with_places(text).find(fold("ありがとう"))
    assert text[start:end] == "アリ ガトウ"
    assert len(list(fold_with_places("ababab").find("ab"))) == 3
