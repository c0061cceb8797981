"""FLAC as other people's decoders read it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest
import soundfile  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from media_sources import tone
from otokura.shared.errors import IntegrityError
from otokura.shared.media.flac import SEEK_SECONDS, FlacWriter, flac_stream


def encoded(pcm: bytes, rate: int, channels: int, piece: int = 10_001) -> bytes:
    writer = FlacWriter(rate, channels)
    frames = [writer.write(pcm[start : start + piece]) for start in range(0, len(pcm), piece)]
    frames.append(writer.finish())
    assert writer.samples == len(pcm) // (2 * channels)
    return writer.header() + b"".join(frames)


def blocks(file: bytes) -> dict[int, bytes]:
    """The metadata blocks of a FLAC file by their type (RFC 9639 §8.1), and the frames under -1."""
    assert file[:4] == b"fLaC"
    found: dict[int, bytes] = {}
    position, last = 4, False
    while not last:
        last, kind = bool(file[position] & 0x80), file[position] & 0x7F
        length = int.from_bytes(file[position + 1 : position + 4])
        found[kind] = file[position + 4 : position + 4 + length]
        position += 4 + length
    found[-1] = file[position:]
    return found


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    ("rate", "samples"),
    [(8000, 1), (8000, 576), (8000, 577), (8000, 250_000), (16_000, 500_001), (48_000, 96_000)],
)
def test_libsndfile_reads_it_back_sample_for_sample(rate: int, samples: int, channels: int) -> None:
    pcm = tone(rate, channels, samples)
    found, found_rate = soundfile.read(
        io.BytesIO(encoded(pcm, rate, channels)), dtype="int16", always_2d=True
    )
    assert found_rate == rate
    assert found.shape == (samples, channels)
    assert found.tobytes() == pcm


@settings(deadline=None, max_examples=30)
@given(samples=st.integers(1, 5000), channels=st.sampled_from([1, 2]), seed=st.integers(0, 2**32 - 1))
def test_any_noise_comes_back(samples: int, channels: int, seed: int) -> None:
    noise = np.random.default_rng(seed).integers(-32_768, 32_768, (samples, channels), "<i2")
    found, _ = soundfile.read(
        io.BytesIO(encoded(noise.tobytes(), 8000, channels, 999)), dtype="int16", always_2d=True
    )
    assert np.array_equal(found, noise)


def test_the_header_tells_the_truth() -> None:
    rate, channels, samples = 8000, 2, 8000 * 65 + 123
    pcm = tone(rate, channels, samples)
    info = blocks(encoded(pcm, rate, channels))[0]
    fields = int.from_bytes(info[10:18])
    assert fields >> 44 == rate
    assert (fields >> 41 & 7) + 1 == channels
    assert (fields >> 36 & 31) + 1 == 16
    assert fields & (2**36 - 1) == samples
    assert info[18:34] == hashlib.md5(pcm, usedforsecurity=False).digest()
    smallest, largest = int.from_bytes(info[4:7]), int.from_bytes(info[7:10])
    assert 0 < smallest <= largest


def test_every_seek_point_is_the_first_byte_of_its_frame() -> None:
    rate, samples = 8000, 8000 * 65
    file = blocks(encoded(tone(rate, 1, samples), rate, 1))
    points = [file[3][start : start + 18] for start in range(0, len(file[3]), 18)]
    assert len(points) == 65 // SEEK_SECONDS + 1
    previous = -1
    for number, point in enumerate(points):
        sample, offset = int.from_bytes(point[:8]), int.from_bytes(point[8:16])
        assert file[-1][offset : offset + 2] == b"\xff\xf8"
        assert 0 <= number * SEEK_SECONDS * rate - sample < int.from_bytes(point[16:])
        assert sample > previous
        previous = sample


@pytest.mark.parametrize("place", [0, 1, 79_999, 80_000, 80_001, 333_333, 519_999])
def test_seeking_arrives_where_it_should(place: int) -> None:
    pcm = np.random.default_rng(2).integers(-9000, 9000, 520_000, "<i2")
    with soundfile.SoundFile(io.BytesIO(encoded(pcm.tobytes(), 8000, 1))) as file:
        file.seek(place)
        assert np.array_equal(file.read(1000, dtype="int16"), pcm[place : place + 1000])


def test_audio_that_ends_within_a_sample_is_refused() -> None:
    writer = FlacWriter(8000, 2)
    writer.write(b"\0\0\0")
    with pytest.raises(ValueError, match="within a sample"):
        writer.finish()


def again(*readings: bytes) -> Callable[[], AsyncIterator[bytes]]:
    """Audio that is opened once for each reading."""
    left = list(readings)

    async def read() -> AsyncIterator[bytes]:
        data = left.pop(0)
        for start in range(0, len(data), 30_000):
            yield data[start : start + 30_000]

    return read


async def test_the_stream_is_the_file() -> None:
    pcm = tone(8000, 2, 100_000)
    file = b"".join([piece async for piece in flac_stream(again(pcm, pcm), 8000, 2)])
    assert file == encoded(pcm, 8000, 2)


async def test_audio_that_changes_between_the_readings_is_refused() -> None:
    pcm = tone(8000, 1, 100_000)
    other = pcm[:-2] + b"\1\1"
    with pytest.raises(IntegrityError, match="changed"):
        b"".join([piece async for piece in flac_stream(again(pcm, other), 8000, 1)])
