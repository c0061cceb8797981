"""Putting words back where they were spoken."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from otokura.transcribe.alignment import AlignedWord, Stretch, place

FIRST, SECOND = Stretch(1000, 3000), Stretch(10_000, 12_000)


def word(start: int, end: int, text: str = "w") -> AlignedWord:
    return AlignedWord(text, start, end, 0.8)


def times(words: list[AlignedWord]) -> list[tuple[int, int]]:
    return [(placed.start_ms, placed.end_ms) for placed in place(words, [FIRST, SECOND])]


def test_words_within_speech_stay() -> None:
    assert times([word(1200, 1500), word(10_100, 10_400)]) == [(1200, 1500), (10_100, 10_400)]


def test_a_word_across_a_joint_was_spoken_after_it() -> None:
    """The pause before a word is given to it, so it seems to begin where the speech before it ended."""
    assert times([word(1200, 1500), word(2500, 3400), word(10_500, 10_900)]) == [
        (1200, 1500),
        (10_000, 10_400),
        (10_500, 10_900),
    ]


def test_the_last_word_of_a_segment_has_nothing_after_it_and_stays() -> None:
    assert times([word(1200, 1500), word(2500, 3400)]) == [(1200, 1500), (2500, 3000)]


def test_a_word_that_begins_in_the_silence_before_its_stretch_begins_with_it() -> None:
    assert times([word(9700, 10_500)]) == [(10_000, 10_500)]


def test_confidence_is_a_probability() -> None:
    assert place([AlignedWord("w", 1000, 1100, 1.0000001)], [FIRST])[0].confidence == 1.0


@given(
    st.lists(st.tuples(st.integers(0, 13_000), st.integers(0, 2000)), min_size=1, max_size=20),
)
def test_times_never_run_backwards_and_no_word_is_lost(spans: list[tuple[int, int]]) -> None:
    words = [word(start, start + length, str(n)) for n, (start, length) in enumerate(sorted(spans))]
    placed = place(words, [FIRST, SECOND])
    assert [one.text for one in placed] == [one.text for one in words]
    flat = [time for one in placed for time in (one.start_ms, one.end_ms)]
    assert flat == sorted(flat)
    assert flat[-1] <= SECOND.end_ms
