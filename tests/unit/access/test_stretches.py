"""A stretch of time as samples: all that lies between two times, and none that does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access_calls import manifest_of, started_of
from otokura.access.reads.decoded_audio import DecodedAudio, RawStretch, Stretch
from otokura.shared.errors import RangeNotSatisfiable
from otokura.shared.ids import uuid7
from otokura.shared.manifest import Manifest, StoredObject

STORED = StoredObject(
    bucket="recordings", name="x", media_type="audio/flac", plaintext_bytes=9, plaintext_sha256="ab" * 32
)


def recording(samples: int, rate: int = 8000) -> Manifest:
    manifest = manifest_of(started_of(uuid7(), uuid7()), STORED, "cd" * 32)
    return manifest.model_copy(update={"samples": samples, "sample_rate": rate})


@pytest.mark.guarantee("R22")
@given(
    samples=st.integers(1, 10_000_000),
    rate=st.sampled_from([8000, 11_025, 16_000, 44_100, 48_000]),
    start_ms=st.integers(0, 2_000_000),
    length_ms=st.integers(1, 2_000_000),
)
def test_no_sample_lies_outside_of_the_stretch_of_time(
    samples: int, rate: int, start_ms: int, length_ms: int
) -> None:
    end_ms = start_ms + length_ms
    try:
        stretch = Stretch.between(recording(samples, rate), start_ms, end_ms)
    except RangeNotSatisfiable:
        first, stop = -(-start_ms * rate // 1000), min(end_ms * rate // 1000, samples)
        assert first >= stop
        return
    assert 0 <= stretch.first < stretch.stop <= samples
    # A sample begins at number / rate seconds, and ends where the next one begins.
    assert stretch.first * 1000 >= start_ms * rate > (stretch.first - 1) * 1000
    assert stretch.stop * 1000 <= end_ms * rate
    assert stretch.stop == samples or (stretch.stop + 1) * 1000 > end_ms * rate


@pytest.mark.guarantee("R22")
def test_the_file_says_nothing_of_what_lies_outside() -> None:
    """Neither its size nor its header tells how long the call was, nor where the stretch lies in it."""
    short, long = recording(80_000), recording(8_000_000)
    files = [DecodedAudio(one, Stretch.between(one, 2000, 4000)).file for one in (short, long)]
    assert files[0].header() == files[1].header()
    assert DecodedAudio(long, Stretch(160, 16_160)).file.header() == files[0].header()
    assert files[0].size == 44 + 2 * 8000 * 2 * 2


@pytest.mark.guarantee("R22")
def test_another_stretch_is_another_file() -> None:
    manifest = recording(80_000)
    tags = {RawStretch(manifest, Stretch(0, stop), None).etag for stop in (8000, 8001)}
    assert len(tags) == 2


def test_a_stretch_behind_the_end_is_not_there() -> None:
    with pytest.raises(RangeNotSatisfiable):
        Stretch.between(recording(8000), 1000, 2000)
