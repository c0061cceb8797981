"""The scorer takes away what cannot be heard, and nothing else."""

from __future__ import annotations

import pytest

from scoring import character_error_rate, characters, word_error_rate, words


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("Thank you. How can I help?", "thank you how can I help"),
        ("It’s 4729, please.", "it's 4729 please"),
        ("two o'clock", "Two o'clock!"),
    ],
)
def test_case_and_punctuation_are_not_errors(said: str, heard: str) -> None:
    assert word_error_rate(said, heard) == 0


@pytest.mark.parametrize(
    ("said", "heard"), [("注文番号は、2580です。", "注文番号は2580です"), ("コーヒー", "コーヒー ")]
)
def test_width_and_spacing_are_not_errors(said: str, heard: str) -> None:
    assert character_error_rate(said, heard) == 0


def test_a_wrong_word_is_an_error() -> None:
    assert word_error_rate("this call is recorded", "this call is reported") == pytest.approx(1 / 4)


def test_a_homophone_in_another_kanji_is_an_error() -> None:
    assert character_error_rate("録音品質向上", "録音品質工場") == pytest.approx(2 / 6)


def test_a_small_number_sounds_the_same_in_words_and_in_digits() -> None:
    assert word_error_rate("press one, wait thirty minutes", "press 1 wait 30 minutes") == 0


def test_another_number_is_an_error() -> None:
    assert word_error_rate("press 1", "press two") == pytest.approx(1 / 2)


def test_invented_text_counts() -> None:
    assert word_error_rate("yes", "yes thank you for watching") == pytest.approx(4)


def test_normal_forms() -> None:
    assert words("  The U.S. line—#7 ") == "the u s line 7"
    assert characters("「ｶﾞｽ」、１２ｋｇ") == "ガス12kg"
