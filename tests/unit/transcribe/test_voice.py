"""From the probability of speech to stretches of speech. The probabilities here are the test's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otokura.transcribe import voice
from otokura.transcribe.alignment import Stretch

WINDOW = 32


def stretches(*spans: tuple[int, float], length: int | None = None) -> list[Stretch]:
    """Of runs of (windows, probability), in an audio of `length` ms or of all windows."""
    probabilities = np.concatenate([np.full(count, value, np.float32) for count, value in spans])
    runs = voice._runs(probabilities, probabilities)
    return list(voice._padded(runs, length or len(probabilities) * WINDOW))


def test_speech_is_found_with_what_surrounds_it() -> None:
    assert stretches((100, 0.0), (100, 1.0), (100, 0.0)) == [Stretch(3200 - 400, 6400 + 400, 1.0)]


def test_padding_ends_where_the_audio_does() -> None:
    assert stretches((5, 0.0), (100, 1.0), length=3350) == [Stretch(0, 3350, 1.0)]


def test_a_short_pause_divides_nothing_and_a_long_one_does() -> None:
    assert len(stretches((50, 1.0), (14, 0.0), (50, 1.0))) == 1
    assert len(stretches((50, 1.0), (16, 0.0), (50, 1.0))) == 2


def test_neighbours_share_the_silence_between_them() -> None:
    assert stretches((50, 1.0), (20, 0.0), (50, 1.0)) == [
        Stretch(0, 1600 + 320, 1.0),
        Stretch(2240 - 320, 3840, 1.0),
    ]


def test_speech_that_fades_goes_on_until_it_is_silence() -> None:
    assert stretches((50, 0.9), (50, 0.4), (50, 0.9)) == stretches((50, 0.9), (50, 0.4), (50, 0.9))
    assert len(stretches((50, 0.9), (50, 0.4), (50, 0.9))) == 1
    assert stretches((150, 0.4)) == []


def test_speech_without_end_is_cut_at_its_quietest_moment() -> None:
    """The test's power is its probability: a breath of five windows in the second half of what may be."""
    found = stretches((250, 1.0), (5, 0.6), (900, 1.0))
    assert found[0].end_ms == 252 * WINDOW
    assert [one.end_ms for one in found[:-1]] == [one.start_ms for one in found[1:]]


@given(st.lists(st.tuples(st.integers(1, 700), st.floats(0, 1)), min_size=1, max_size=20))
def test_stretches_are_in_order_within_the_audio_and_fit_into_a_chunk(spans: list[tuple[int, float]]) -> None:
    found = stretches(*spans)
    edges = [edge for one in found for edge in (one.start_ms, one.end_ms)]
    assert edges == sorted(edges)
    assert all(0 < one.duration_ms <= voice.LONGEST_MS for one in found)
    assert not edges or (edges[0] >= 0 and edges[-1] <= sum(count for count, _ in spans) * WINDOW)


@pytest.mark.parametrize("samples", [0, 1, 511, 512, 16000])
def test_digital_silence_is_not_even_looked_at(samples: int) -> None:
    assert voice.find(np.zeros(samples, np.float32)) == []
