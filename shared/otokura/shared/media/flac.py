"""FLAC (RFC 9639) with a true STREAMINFO and a seek table, for streams that are written from front to back.

The header stands first and tells what is known only at the end: the number of samples, their MD5, the sizes
of the frames. So the audio is encoded twice, to learn the header and to write the frames, and no memory grows
but the seek table. The encoder is FFmpeg's, and gives the same frames both times.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Callable
from fractions import Fraction
from typing import cast

from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.codec.context import CodecContext
from av.packet import Packet

from otokura.shared.errors import IntegrityError

MEDIA_TYPE = "audio/flac"
SEEK_SECONDS = 10
"""A seek point at least this often."""
_Packets = list["Packet[AudioStream]"]
_LAYOUTS = {1: "mono", 2: "stereo"}
_STREAMINFO, _SEEKTABLE, _LAST_BLOCK = 0, 3, 0x80


class FlacWriter:
    """Encodes 16-bit PCM. The file is `header()`, known after `finish()`, and then all that was returned.

    Args:
        sample_rate: samples a second of each channel.
        channels: 1 or 2, interleaved.
    """

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._encoder = CodecContext.create("flac", "w")
        self._encoder.sample_rate = sample_rate
        self._encoder.layout = _LAYOUTS[channels]
        self._encoder.format = "s16"
        self._encoder.time_base = Fraction(1, sample_rate)
        self._encoder.open()
        self._rate, self._channels = sample_rate, channels
        self._frame_bytes = self._encoder.frame_size * 2 * channels
        self._pending = bytearray()
        self._digest = hashlib.md5(usedforsecurity=False)  # what RFC 9639 §8.2 wants
        self._samples = 0
        self._sizes = (2**24 - 1, 0)
        self._offset = 0
        self._seek_points = bytearray()
        self._next_point = 0

    @property
    def samples(self) -> int:
        """Samples of each channel so far."""
        return self._samples + len(self._pending) // (2 * self._channels)

    def write(self, pcm: bytes | bytearray | memoryview) -> bytes:
        """Takes signed 16-bit little-endian samples; returns the frames that are complete."""
        self._digest.update(pcm)
        self._pending += pcm
        whole = len(self._pending) - len(self._pending) % self._frame_bytes
        frames = [
            self._encode(self._pending[start : start + self._frame_bytes])
            for start in range(0, whole, self._frame_bytes)
        ]
        del self._pending[:whole]
        return b"".join(frames)

    def finish(self) -> bytes:
        """The last frames."""
        if len(self._pending) % (2 * self._channels):
            raise ValueError("the audio ends within a sample")
        last = self._encode(self._pending) if self._pending else b""
        self._pending = bytearray()
        return last + self._collect(cast("_Packets", self._encoder.encode(None)))

    def header(self) -> bytes:
        """Everything before the first frame (RFC 9639 §8): STREAMINFO and SEEKTABLE."""
        block = self._encoder.frame_size
        smallest, largest = self._sizes if self._offset else (0, 0)
        info = (
            self._rate << 44
            | (self._channels - 1) << 41
            | 15 << 36
            | self._samples  # 16 bits a sample, less one
        )
        body = b"".join(
            (
                block.to_bytes(2),
                block.to_bytes(2),
                smallest.to_bytes(3),
                largest.to_bytes(3),
                info.to_bytes(8),
                self._digest.digest(),
            )
        )
        return b"".join(
            (
                b"fLaC",
                bytes((_STREAMINFO,)) + len(body).to_bytes(3) + body,
                bytes((_SEEKTABLE | _LAST_BLOCK,)) + len(self._seek_points).to_bytes(3) + self._seek_points,
            )
        )

    def _encode(self, pcm: bytearray) -> bytes:
        frame = AudioFrame("s16", _LAYOUTS[self._channels], len(pcm) // (2 * self._channels))
        frame.sample_rate = self._rate
        frame.pts = self._samples
        frame.planes[0].update(bytes(pcm))
        self._samples += frame.samples
        return self._collect(cast("_Packets", self._encoder.encode(frame)))

    def _collect(self, packets: _Packets) -> bytes:
        """One packet is one frame, but for the empty one at the end that brings FFmpeg's own STREAMINFO."""
        frames: list[bytes] = []
        for packet in packets:
            if not packet.size:
                continue
            self._note(packet)
            frames.append(bytes(packet))
        return b"".join(frames)

    def _note(self, packet: Packet[AudioStream]) -> None:
        smallest, largest = self._sizes
        self._sizes = min(smallest, packet.size), max(largest, packet.size)
        start, samples = packet.pts or 0, packet.duration or 0
        if start + samples > self._next_point:
            self._seek_points += start.to_bytes(8) + self._offset.to_bytes(8) + samples.to_bytes(2)
            self._next_point += SEEK_SECONDS * self._rate
        self._offset += packet.size


async def flac_stream(
    pcm: Callable[[], AsyncIterable[bytes]], sample_rate: int, channels: int
) -> AsyncIterator[bytes]:
    """A whole FLAC file from audio that can be read twice, with flat memory.

    Args:
        pcm: opens the audio from its beginning: signed 16-bit little-endian samples, interleaved.
        sample_rate: samples a second of each channel.
        channels: 1 or 2.

    Raises:
        IntegrityError: the second reading gave other audio than the first.
    """
    first = FlacWriter(sample_rate, channels)
    async for block in pcm():
        await asyncio.to_thread(first.write, block)
    await asyncio.to_thread(first.finish)
    yield first.header()
    second = FlacWriter(sample_rate, channels)
    async for block in pcm():
        yield await asyncio.to_thread(second.write, block)
    yield await asyncio.to_thread(second.finish)
    if second.header() != first.header():
        raise IntegrityError("The audio of the recording changed while it was being sealed.")
