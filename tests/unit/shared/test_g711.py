"""G.711 against FFmpeg's decoder and the values of the standard."""

from __future__ import annotations

from collections.abc import Callable

import av
import numpy as np
import pytest
from av.audio.frame import AudioFrame
from av.codec.context import CodecContext

from otokura.shared.media.g711 import Samples, decode_alaw, decode_mulaw

EVERY_CODE = bytes(range(256))


@pytest.mark.parametrize(("codec", "decode"), [("pcm_mulaw", decode_mulaw), ("pcm_alaw", decode_alaw)])
def test_every_code_is_what_ffmpeg_makes_of_it(codec: str, decode: Callable[[bytes], Samples]) -> None:
    context = CodecContext.create(codec, "r")
    context.sample_rate = 8000  # type: ignore[attr-defined]
    context.layout = "mono"  # type: ignore[attr-defined]
    frame = context.decode(av.Packet(EVERY_CODE))[0]  # type: ignore[attr-defined]
    assert isinstance(frame, AudioFrame)
    expected = np.frombuffer(bytes(frame.planes[0])[:512], "<i2")
    assert np.array_equal(decode(EVERY_CODE), expected)


def test_the_ends_and_the_middle_are_those_of_the_standard() -> None:
    """G.711 tables 1a to 2b, scaled to 16 bits."""
    assert decode_mulaw(bytes((0x00, 0x80, 0x7F, 0xFF))).tolist() == [-32_124, 32_124, 0, 0]
    assert decode_alaw(bytes((0x2A, 0xAA, 0x55, 0xD5))).tolist() == [-32_256, 32_256, -8, 8]


def test_any_buffer_is_taken() -> None:
    for buffer in (b"\x80\x00", bytearray(b"\x80\x00"), memoryview(b"\x80\x00")):
        samples = decode_mulaw(buffer)
        assert samples.dtype == np.int16
        assert samples.tolist() == [32_124, -32_124]
    assert decode_alaw(b"").size == 0
