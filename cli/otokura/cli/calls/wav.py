"""Just enough of RIFF/WAVE to stream a file live: the format, and where the samples begin.

Microsoft, Multimedia Programming Interface and Data Specifications 1.0 (1991), "Waveform Audio File Format".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_ENCODINGS = {(1, 16): "pcm_s16le", (6, 8): "alaw", (7, 8): "mulaw"}
_RATES = (8000, 16000)
_EXTENSIBLE = 0xFFFE
_HEADER = struct.Struct("<HHIIHH")
_CHUNK = struct.Struct("<4sI")
_SUBFORMAT_AT = 24
MAX_CHANNELS = 2


class WavError(ValueError):
    """The file cannot be streamed live; the text says why."""


@dataclass(frozen=True)
class Wav:
    """A file of samples that ingest's stream takes as they are.

    Attributes:
        path: the file.
        encoding: `pcm_s16le`, `mulaw` or `alaw`.
        rate: samples of a channel in a second.
        channels: 1 or 2, interleaved.
        start: byte at which the samples begin.
        size: bytes of samples, whole frames.
    """

    path: Path
    encoding: str
    rate: int
    channels: int
    start: int
    size: int

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return self.channels * (2 if self.encoding == "pcm_s16le" else 1)

    @property
    def samples(self) -> int:
        """Samples of a channel."""
        return self.size // self.frame_bytes


def read_wav(path: Path) -> Wav:
    """Look into a file.

    Raises:
        WavError: it is no WAV file, or not of a kind that can be streamed.
    """
    with path.open("rb") as file:
        riff, _, wave = struct.unpack("<4sI4s", file.read(12).ljust(12, b"\0"))
        if riff != b"RIFF" or wave != b"WAVE":
            raise WavError(f"{path} is not a WAV file")
        layout: tuple[str, int, int] | None = None
        while header := file.read(8):
            name, size = struct.unpack("<4sI", header.ljust(8, b"\0"))
            if name == b"fmt ":
                layout = _format(path, file.read(size))
                file.seek(size % 2, 1)
            elif name == b"data" and layout is not None:
                return _with_data(path, layout, file, size)
            else:
                file.seek(size + size % 2, 1)
    raise WavError(f"{path} has no samples")


def channels_of(path: Path) -> int | None:
    """How many channels a WAV file of any encoding says it has; None where it does not say, or is none."""
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] not in {b"RIFF", b"RF64"} or head[8:] != b"WAVE":
            return None
        while len(header := file.read(8)) == _CHUNK.size:
            name, size = _CHUNK.unpack(header)
            if name == b"fmt ":
                body = file.read(_HEADER.size)
                return int(_HEADER.unpack(body)[1]) if len(body) == _HEADER.size else None
            file.seek(size + size % 2, 1)
    return None


def _format(path: Path, body: bytes) -> tuple[str, int, int]:
    if len(body) < _HEADER.size:
        raise WavError(f"{path} has a broken header")
    code, channels, rate, _, _, bits = _HEADER.unpack_from(body)
    if code == _EXTENSIBLE and len(body) >= _SUBFORMAT_AT + 2:
        code = int.from_bytes(body[_SUBFORMAT_AT : _SUBFORMAT_AT + 2], "little")
    encoding = _ENCODINGS.get((code, bits))
    if encoding is None or rate not in _RATES or not 1 <= channels <= MAX_CHANNELS:
        raise WavError(
            f"{path} has {channels} channel(s) of {bits} bits at {rate} Hz (format {code}); a live stream has"
            " one or two of 16-bit PCM or G.711, at 8000 or 16000 Hz. Without --live any format can be sent"
        )
    return encoding, rate, channels


def _with_data(path: Path, layout: tuple[str, int, int], file: BinaryIO, size: int) -> Wav:
    encoding, rate, channels = layout
    start = file.tell()
    # A recorder that was cut off leaves a size that is too large: the file's end counts.
    size = min(size, path.stat().st_size - start)
    wav = Wav(path, encoding, rate, channels, start, size)
    return Wav(path, encoding, rate, channels, start, size - size % wav.frame_bytes)
