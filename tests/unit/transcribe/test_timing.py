"""Words that the alignment makes too long."""

from __future__ import annotations

from otokura.transcribe.alignment import AlignedWord
from otokura.transcribe.timing import words_of


def timed(*spans: tuple[str, int, int]) -> list[tuple[str, int, int]]:
    words = words_of([AlignedWord(text, start, end, 0.9) for text, start, end in spans])
    return [(word.text, word.start_ms, word.end_ms) for word in words]


def test_the_silence_before_a_sentence_is_not_its_first_word() -> None:
    assert timed(("Yes.", 0, 300), (" We", 300, 4000), (" do", 4000, 4300), (" it", 4300, 4600)) == [
        ("Yes.", 0, 300),
        (" We", 3400, 4000),
        (" do", 4000, 4300),
        (" it", 4300, 4600),
    ]


def test_the_silence_after_a_sentence_is_not_its_last_word() -> None:
    assert timed(("We", 0, 300), (" do", 300, 600), (" it。", 600, 4000))[-1] == (" it。", 600, 1200)


def test_a_long_word_within_a_sentence_is_believed() -> None:
    assert timed(("a", 0, 100), (" loooong", 100, 2000), (" b", 2000, 2100))[1] == (" loooong", 100, 2000)


def test_a_row_of_digits_may_take_as_long_as_its_digits() -> None:
    """But for the silence that is more than they can take."""
    said = timed(("It", 0, 200), (" is", 200, 400), (" 4111 1111.", 400, 4600))
    assert said[-1] == (" 4111 1111.", 400, 4600)
    said = timed((" 4111", 0, 9000), (" it", 9000, 9200), (" is", 9200, 9400))
    assert said[0] == (" 4111", 6600, 9000)


def test_no_words_are_no_words() -> None:
    assert timed() == []
    assert timed(("a", 5, 5)) == [("a", 5, 5)]
