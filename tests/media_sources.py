"""Files for the decoder: in memory, or made up as they are read."""

from __future__ import annotations

import io
import struct

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.frame import VideoFrame


class MemorySource:
    """A `RangeSource` over bytes that remembers what was read."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.reads: list[tuple[int, int]] = []

    @property
    def size(self) -> int:
        return len(self._data)

    async def read(self, offset: int, length: int) -> bytes:
        self.reads.append((offset, length))
        return self._data[offset : offset + length]


class EndlessTone:
    """A WAV file of any size that is nowhere: one block of samples, repeated."""

    def __init__(self, data_bytes: int, rate: int = 16_000, channels: int = 2) -> None:
        self._header = wav_header(data_bytes, rate, channels, tag=1, bits=16)
        self._data_bytes = data_bytes
        self._block = np.arange(1 << 20, dtype=np.uint32).astype(np.int16).tobytes()

    @property
    def size(self) -> int:
        return len(self._header) + self._data_bytes

    async def read(self, offset: int, length: int) -> bytes:
        length = min(length, self.size - offset)
        head = self._header[offset : offset + length]
        return head + self._block[: length - len(head)]


def wav_header(data_bytes: int, rate: int, channels: int, *, tag: int, bits: int) -> bytes:
    """A RIFF header that claims so many bytes of audio in the format of that tag: 1 PCM, 6 A-law, 7 µ-law."""
    frame = channels * bits // 8
    form = struct.pack("<IHHIIHH", 16, tag, channels, rate, rate * frame, frame, bits)
    return (
        b"RIFF"
        + struct.pack("<I", (36 + data_bytes) & 0xFFFFFFFF)
        + b"WAVEfmt "
        + form
        + b"data"
        + struct.pack("<I", data_bytes & 0xFFFFFFFF)
    )


def tone(rate: int, channels: int, samples: int) -> bytes:
    """s16le samples: 440 Hz on the first channel, 660 Hz on the second."""
    time = np.arange(samples) / rate
    waves = [np.sin(2 * np.pi * pitch * time) for pitch in (440, 660)[:channels]]
    return (8000 * np.stack(waves, axis=1)).astype("<i2").tobytes()


def with_video(pcm: bytes, rate: int) -> bytes:
    """The samples, if any, as Opus in a WebM file, beside a second of VP8 video."""
    file = io.BytesIO()
    with av.open(file, "w", format="webm") as output:
        video = output.add_stream("libvpx", rate=10, width=64, height=48, pix_fmt="yuv420p")
        audio = output.add_stream("libopus", rate=rate, layout="mono") if pcm else None
        for shade in range(10):
            picture = VideoFrame.from_ndarray(np.full((72, 64), 20 * shade, np.uint8), format="yuv420p")
            output.mux(video.encode(picture))
        output.mux(video.encode(None))
        if audio is not None:
            mux(output, audio, pcm)
    return file.getvalue()


def two_streams(pcm: bytes, rate: int) -> bytes:
    """The samples as two Opus streams of one WebM file."""
    file = io.BytesIO()
    with av.open(file, "w", format="webm") as output:
        streams = [output.add_stream("libopus", rate=rate, layout="mono") for _ in range(2)]
        for stream in streams:
            mux(output, stream, pcm)
    return file.getvalue()


def mux(output: OutputContainer, stream: AudioStream, pcm: bytes) -> None:
    """Encodes mono samples into a stream of a file."""
    frame = AudioFrame.from_ndarray(np.frombuffer(pcm, "<i2").reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = stream.rate
    output.mux(stream.encode(frame))
    output.mux(stream.encode(None))
