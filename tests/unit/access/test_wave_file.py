"""The header of a WAV file that is not there yet, as other people's readers see it."""

from __future__ import annotations

import io
import os

import pytest
import soundfile  # type: ignore[import-untyped]
from typing_extensions import Buffer

from otokura.access.reads.wave_file import WaveFile


class Imagined(io.RawIOBase):
    """A file of which only the beginning is there, and zeros follow."""

    def __init__(self, beginning: bytes, size: int) -> None:
        self._beginning = beginning
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer).cast("B")
        length = max(0, min(len(view), self._size - self._at))
        known = self._beginning[self._at : self._at + length]
        view[:length] = known + bytes(length - len(known))
        self._at += length
        return length

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence] + offset
        return self._at

    def tell(self) -> int:
        return self._at


@pytest.mark.parametrize(
    ("rate", "channels", "samples", "form"),
    [
        (8000, 2, 0, "WAV"),
        (8000, 1, 1, "WAV"),
        (44_100, 2, 14_400 * 44_100, "WAV"),
        (8000, 2, (2**32 - 1 - 36) // 4, "WAV"),
        (8000, 2, (2**32 - 1 - 36) // 4 + 1, "RF64"),
        (192_000, 2, 86_400 * 192_000, "RF64"),
    ],
)
def test_libsndfile_finds_every_sample(rate: int, channels: int, samples: int, form: str) -> None:
    """Also of a day in the highest quality, for which RIFF has no number."""
    file = WaveFile(rate, channels, samples)
    with soundfile.SoundFile(Imagined(file.header(), file.size)) as found:
        assert (found.format, found.subtype) == (form, "PCM_16")
        assert (found.samplerate, found.channels, found.frames) == (rate, channels, samples)


def test_the_size_is_that_of_header_and_samples() -> None:
    file = WaveFile(8000, 2, 100)
    assert (len(file.header()), file.data_bytes, file.size) == (44, 400, 444)
    assert len(WaveFile(8000, 2, 2**31).header()) == 80
