"""Stretches of speech become chunks of 20 s, and words find their way back."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from otokura.transcribe.alignment import AlignedWord, Stretch
from otokura.transcribe.chunks import LONGEST_MS, Chunk, pack, passed_over

CHUNK = Chunk(0, (Stretch(1000, 3000), Stretch(10_000, 12_000)))


def times(start: int, end: int) -> tuple[int, int]:
    word = CHUNK.restored(AlignedWord("w", start, end, 0.5))
    return word.start_ms, word.end_ms


def test_words_get_the_audios_times() -> None:
    assert times(200, 500) == (1200, 1500)
    assert times(2100, 2400) == (10_100, 10_400)


def test_a_words_middle_decides_where_it_is_from() -> None:
    assert times(1800, 2100) == (2800, 3100)
    assert times(1900, 2300) == (9900, 10_300)


def test_what_lies_behind_the_chunk_belongs_to_its_last_stretch() -> None:
    assert times(4100, 4200) == (12_100, 12_200)


def aligned(*times: tuple[int, int]) -> list[AlignedWord]:
    return [AlignedWord("w", start, end, 0.5) for start, end in times]


def test_a_stretch_without_a_word_is_heard_by_itself() -> None:
    assert passed_over(CHUNK, aligned((100, 900), (900, 1900))) == [Chunk(0, CHUNK.stretches[1:])]
    assert passed_over(CHUNK, aligned((2500, 3000))) == [Chunk(0, CHUNK.stretches[:1])]
    assert passed_over(CHUNK, []) == [Chunk(0, (one,)) for one in CHUNK.stretches]


def test_a_word_that_goes_on_over_a_joint_is_in_both_stretches() -> None:
    """Whisper makes one word of a row of digits, however long the pauses in it."""
    assert passed_over(CHUNK, aligned((0, 3900))) == []
    assert passed_over(CHUNK, aligned((0, 2150))) == [Chunk(0, CHUNK.stretches[1:])]


def test_of_a_single_stretch_nothing_is_heard_again() -> None:
    assert passed_over(Chunk(0, CHUNK.stretches[:1]), []) == []


@given(st.lists(st.tuples(st.integers(0, 60_000), st.integers(1, LONGEST_MS)), max_size=30))
def test_every_stretch_is_in_one_chunk_in_order_and_no_chunk_is_longer_than_20_s(
    gaps_and_lengths: list[tuple[int, int]],
) -> None:
    stretches, clock = [], 0
    for gap, length in gaps_and_lengths:
        stretches.append(Stretch(clock + gap, clock + gap + length))
        clock += gap + length
    chunks = list(pack(3, stretches))
    assert [stretch for chunk in chunks for stretch in chunk.stretches] == stretches
    assert all(0 < chunk.duration_ms <= LONGEST_MS and chunk.audio == 3 for chunk in chunks)
    neighbours = pairwise(chunks)
    assert all(one.duration_ms + two.stretches[0].duration_ms > LONGEST_MS for one, two in neighbours)
