"""Audio files for uploads, by other hands than ours: the standard library's, FFmpeg's, libsndfile's."""

from __future__ import annotations

import io
import struct
import wave
from collections.abc import AsyncIterator
from typing import cast

import av
import numpy as np
import soundfile  # type: ignore[import-untyped]
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream

LAYOUTS = {1: "mono", 2: "stereo"}


def wav(pcm: bytes, rate: int, channels: int) -> bytes:
    """A WAV file of s16le samples."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((channels, 2, rate, 0, "NONE", ""))
        writer.writeframes(pcm)
    return file.getvalue()


def encoded(pcm: bytes, rate: int, channels: int, container: str, codec: str) -> bytes:
    """The samples in another container and codec, by FFmpeg."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = cast("AudioStream", output.add_stream(codec, rate=rate, layout=LAYOUTS[channels]))
        samples = np.frombuffer(pcm, "<i2").reshape(1, -1)
        frame = AudioFrame.from_ndarray(samples, format="s16", layout=LAYOUTS[channels])
        frame.sample_rate = rate
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()


def by_libsndfile(pcm: bytes, rate: int, channels: int, container: str, encoding: str) -> bytes:
    """The samples as libsndfile writes them, in its names: FFmpeg has no encoder of GSM 6.10 for one."""
    file = io.BytesIO()
    samples = np.frombuffer(pcm, "<i2").reshape(-1, channels)
    soundfile.write(file, samples, rate, format=container, subtype=encoding)
    return file.getvalue()


async def long_wav(size: int, rate: int = 48_000, channels: int = 2) -> AsyncIterator[bytes]:
    """A WAV file of `size` bytes, in pieces, never whole in our memory either."""
    data = size - 44
    block = 2 * channels
    yield (
        b"RIFF"
        + struct.pack("<I", size - 8)
        + b"WAVEfmt "
        + struct.pack("<IHHIIHH", 16, 1, channels, rate, rate * block, block, 16)
        + b"data"
        + struct.pack("<I", data)
    )
    noise = np.random.default_rng(3).integers(-2000, 2000, 1 << 19, dtype="<i2").tobytes()
    while data > 0:
        piece = noise[:data]
        data -= len(piece)
        yield piece
