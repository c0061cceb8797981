"""Stretches of speech become chunks, chunks become batches, and words find their way back."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from otokura.transcribe.alignment import AlignedWord, Stretch
from otokura.transcribe.chunks import LONGEST_MS, Batching, Chunk, batches, pack, passed_over

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


def test_a_single_stretch_without_a_word_is_not_heard_again() -> None:
    alone = Chunk(0, CHUNK.stretches[:1])
    assert passed_over(alone, []) == passed_over(alone, aligned((0, 20))) == []


def test_what_follows_the_last_word_for_longer_than_a_pause_is_heard_by_itself() -> None:
    alone = Chunk(0, (Stretch(1000, 9000, 0.8),))
    assert passed_over(alone, aligned((0, 900), (900, 2500))) == [Chunk(0, (Stretch(3500, 9000, 0.8),))]
    assert passed_over(alone, aligned((0, 6500))) == []
    two = Chunk(0, (Stretch(1000, 7000), Stretch(10_000, 12_000)))
    assert passed_over(two, aligned((100, 2000))) == [
        Chunk(0, (Stretch(3000, 7000),)),
        Chunk(0, (Stretch(10_000, 12_000),)),
    ]
    assert passed_over(two, aligned((100, 2000), (6500, 7000))) == []


@given(st.lists(st.tuples(st.integers(0, 60_000), st.integers(1, LONGEST_MS)), max_size=30))
def test_every_stretch_is_in_one_chunk_in_order_and_no_chunk_is_longer_than_12_s(
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


def of_lengths(*lengths_ms: int) -> list[Chunk]:
    return [Chunk(number, (Stretch(0, length),)) for number, length in enumerate(lengths_ms)]


def room(batch: list[Chunk], how: Batching) -> int:
    return max(how.least_ms, *(chunk.duration_ms for chunk in batch)) * len(batch)


@given(
    st.lists(st.integers(1, LONGEST_MS), max_size=40),
    st.integers(LONGEST_MS, 100_000),
    st.integers(0, 10_000),
    st.integers(1, 4),
)
def test_every_chunk_is_in_one_batch_and_no_batch_takes_more_than_may_be(
    lengths_ms: list[int], most_ms: int, least_ms: int, parallel: int
) -> None:
    chunks, how = of_lengths(*lengths_ms), Batching(most_ms, least_ms, parallel)
    found = batches(chunks, how)
    assert sorted(chunk.audio for batch in found for chunk in batch) == list(range(len(chunks)))
    assert all(batch and room(batch, how) <= most_ms for batch in found)


def test_threads_get_as_much_each() -> None:
    """Five chunks of which four fit together would keep one of two threads waiting for the other."""
    how = Batching(most_ms=40_000, least_ms=0, parallel=2)
    found = batches(of_lengths(*[10_000] * 5), how)
    assert sorted(map(len, found)) == [2, 3]
    found = batches(of_lengths(*[10_000] * 12), how)
    assert list(map(len, found)) == [3, 3, 3, 3]


def test_what_is_short_is_together_with_what_is_short() -> None:
    how = Batching(most_ms=40_000, least_ms=5_000, parallel=1)
    found = batches(of_lengths(1000, 20_000, 2000, 18_000), how)
    assert [[chunk.duration_ms for chunk in batch] for batch in found] == [[20_000, 18_000], [2000, 1000]]
    assert batches([], how) == []
