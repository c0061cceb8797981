"""A redacted transcript says nothing of what was redacted."""

from __future__ import annotations

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otokura.shared.redacted import redacted, word_offsets
from otokura.shared.redactions import Redaction, RedactionKind, RedactionPolicy
from otokura.shared.transcripts import Transcript, Turn
from otokura.transcribe.redaction import find
from redaction_texts import WRITINGS, conversation, with_luhn, write


def transcript(turns: list[Turn], redactions: list[Redaction] | None) -> Transcript:
    return Transcript(
        call_id=uuid4(),
        language="ja",
        engine="test",
        model="none",
        duration_ms=60_000,
        turns=turns,
        redactions=redactions,
    )


@pytest.mark.guarantee("T23")
@given(payload=st.lists(st.integers(0, 9), min_size=15, max_size=15), writing=st.sampled_from(WRITINGS))
def test_no_digit_of_a_card_number_is_left_in_text_or_words(payload: list[int], writing: str) -> None:
    turns = conversation((1, f"番号は {write(with_luhn(payload), writing)} です。"), words=True)
    shown = redacted(transcript(turns, find(turns, "ja", RedactionPolicy()))).turns[0]
    assert shown.text == "番号は [card-number] です。"
    assert [word.text for word in shown.words] == ["番", "号", "は", "[card-number]", "で", "す", "。"]


@pytest.mark.guarantee("T23")
@given(st.data())
def test_nothing_of_any_stretch_is_left(data: st.DataObject) -> None:
    """Whatever overlaps whatever: the characters outside stay, those inside are gone, with their words."""
    text = "あいうえおかきくけこ"
    spans = data.draw(st.lists(st.tuples(st.integers(0, 8), st.integers(1, 5)), max_size=4))
    redactions = [
        Redaction(turn=0, start=a, end=min(a + n, 10), kind=RedactionKind.NAME, start_ms=0, end_ms=1)
        for a, n in spans
    ]
    gone = {text[at] for one in redactions for at in range(one.start, one.end)}
    shown = redacted(transcript(conversation((1, text), words=True), redactions)).turns[0]
    kept = [character for character in text if character not in gone]
    assert [c for c in shown.text if c in text] == kept
    assert [word.text for word in shown.words if word.text != "[name]"] == kept


@pytest.mark.guarantee("T23")
def test_a_transcript_that_nobody_searched_cannot_be_redacted() -> None:
    """Transcripts of before have no redactions: not "nothing to redact" but "not known"."""
    with pytest.raises(ValueError, match="never searched"):
        redacted(transcript(conversation((1, "もしもし。")), None))


def test_a_redaction_outside_the_text_is_an_error() -> None:
    outside = Redaction(turn=0, start=2, end=9, kind=RedactionKind.NAME, start_ms=0, end_ms=1)
    with pytest.raises(ValueError, match="outside"):
        redacted(transcript(conversation((1, "もしもし。")), [outside]))
    with pytest.raises(ValueError, match="turn"):
        redacted(transcript([], [outside]))


def test_the_collapsed_word_keeps_the_time_of_all_that_it_stands_for() -> None:
    turns = conversation((1, "電話090です"), words=True)
    one = Redaction(turn=0, start=2, end=5, kind=RedactionKind.PHONE_NUMBER, start_ms=200, end_ms=500)
    word = redacted(transcript(turns, [one])).turns[0].words[2]
    assert (word.text, word.start_ms, word.end_ms) == ("[phone-number]", 200, 500)


def test_the_redactions_of_a_redacted_transcript_are_its_brackets() -> None:
    turns = conversation((1, "はい、090です"))
    one = Redaction(turn=0, start=3, end=6, kind=RedactionKind.PHONE_NUMBER, start_ms=0, end_ms=1)
    shown = redacted(transcript(turns, [one]))
    assert shown.redactions is not None
    (place,) = shown.redactions
    assert shown.turns[0].text[place.start : place.end] == "[phone-number]"


def test_a_word_that_is_not_in_its_place_is_redacted_with_what_is_there() -> None:
    turn = conversation((1, "090です"), words=True)[0]
    odd = [turn.words[0].model_copy(update={"text": "zero"}), *turn.words[3:]]
    assert word_offsets(turn.model_copy(update={"words": odd}))[0] == (0, 3)
