"""A WAV file of which only the format and the length are known yet: where each of its bytes will stand.

RIFF with 16-bit PCM; from 4 GiB on RF64 (EBU Tech 3306), whose sizes have 64 bits.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

MEDIA_TYPE = "audio/wav"
SAMPLE_BYTES = 2
_PCM = 1
_MOST = 0xFFFFFFFF
_AFTER_SIZE, _DS64_BYTES = 36, 36
"""Bytes of a RIFF header that its size counts, and of the chunk that RF64 adds."""


@dataclass(frozen=True, slots=True)
class WaveFile:
    """Signed 16-bit little-endian samples, interleaved; `samples` counts one channel."""

    sample_rate: int
    channels: int
    samples: int

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of all channels."""
        return SAMPLE_BYTES * self.channels

    @property
    def data_bytes(self) -> int:
        """Bytes of all samples."""
        return self.samples * self.frame_bytes

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return len(self.header()) + self.data_bytes

    def header(self) -> bytes:
        """Everything before the first sample."""
        size, data = _AFTER_SIZE + self.data_bytes, self.data_bytes
        if size <= _MOST:
            return struct.pack("<4sI4s", b"RIFF", size, b"WAVE") + self._format() + _chunk(b"data", data)
        sizes = struct.pack("<QQQI", size + _DS64_BYTES, data, self.samples, 0)
        return (
            struct.pack("<4sI4s", b"RF64", _MOST, b"WAVE")
            + _chunk(b"ds64", len(sizes))
            + sizes
            + self._format()
            + _chunk(b"data", _MOST)
        )

    def _format(self) -> bytes:
        rate, frame = self.sample_rate, self.frame_bytes
        body = struct.pack("<HHIIHH", _PCM, self.channels, rate, rate * frame, frame, 8 * SAMPLE_BYTES)
        return _chunk(b"fmt ", len(body)) + body


def _chunk(name: bytes, size: int) -> bytes:
    return struct.pack("<4sI", name, size)
