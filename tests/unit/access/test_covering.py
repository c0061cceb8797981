"""Which samples are covered, and by what: all of a redacted millisecond, and no other."""

from __future__ import annotations

from itertools import pairwise
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otokura.access.reads.covering import Covering, spans_of
from otokura.access.reads.views import Cover
from otokura.shared.errors import IntegrityError
from redacted_calls import Hidden, noise, redacting

hidden_spans = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 1200), st.integers(0, 400)).map(
        lambda span: (span[0], span[1], span[1] + span[2])
    ),
    max_size=6,
)


def covering(hidden: Hidden, cover: Cover = Cover.SILENCE, rate: int = 8000) -> Covering:
    return Covering(spans_of(redacting(hidden)(uuid4()), rate, 2), cover, rate)


@pytest.mark.guarantee("T90")
@given(hidden=hidden_spans, rate=st.sampled_from([4000, 8000, 11_025, 44_100]))
def test_every_sample_of_a_redacted_millisecond_is_silent_and_no_other(hidden: Hidden, rate: int) -> None:
    """Wherever spans lie, overlap or end, and though milliseconds do not fall on samples."""
    samples = noise(1, rate=rate)
    found = np.frombuffer(covering(hidden, rate=rate).apply(0, samples.tobytes()), "<i2").reshape(-1, 2)
    for channel in (0, 1):
        # A sample lasts from its number to the next: it is redacted if any of that time is.
        at = np.arange(len(samples)) * 1000
        gone = np.zeros(len(samples), bool)
        for where, start_ms, end_ms in hidden:
            if where == channel:
                gone |= (at + 1000 > start_ms * rate) & (at < end_ms * rate)
        assert np.array_equal(found[~gone, channel], samples[~gone, channel])
        assert not found[gone, channel].any()


@pytest.mark.guarantee("T91")
@given(
    hidden=hidden_spans,
    cuts=st.lists(st.integers(0, 8000), max_size=8),
    cover=st.sampled_from(Cover),
)
def test_blocks_are_covered_as_the_whole_is(hidden: Hidden, cuts: list[int], cover: Cover) -> None:
    samples = noise(1)
    whole = covering(hidden, cover).apply(0, samples.tobytes())
    places = sorted({0, len(samples), *cuts})
    pieces = [
        covering(hidden, cover).apply(start, samples[start:stop].tobytes())
        for start, stop in pairwise(places)
    ]
    assert b"".join(pieces) == whole


@pytest.mark.parametrize("rate", [8000, 11_025, 48_000])
def test_the_tone_is_a_quiet_kilohertz(rate: int) -> None:
    pcm = covering([(1, 0, 1000)], Cover.TONE, rate).apply(0, noise(1, rate=rate).tobytes())
    tone = np.frombuffer(pcm, "<i2").reshape(-1, 2)[:, 1].astype(np.float64)
    assert int(np.argmax(np.abs(np.fft.rfft(tone)))) == 1000
    assert 0.02 < np.abs(tone).max() / 32_767 < 0.04


def test_a_channel_that_the_recording_does_not_have_is_an_integrity_error() -> None:
    with pytest.raises(IntegrityError):
        spans_of(redacting([(1, 0, 100)])(uuid4()), 8000, 1)


@pytest.mark.guarantee("T93")
def test_a_transcript_that_nobody_searched_covers_nothing_and_says_so() -> None:
    with pytest.raises(ValueError, match="never searched"):
        spans_of(redacting(None)(uuid4()), 8000, 2)
