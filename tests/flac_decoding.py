"""Reads FLAC back with FFmpeg's decoder and nothing of ours."""

from __future__ import annotations

import io
from typing import cast

import av
from av.container import InputContainer


def decoded(flac: bytes, channels: int) -> bytes:
    """The samples of a 16-bit FLAC file, interleaved s16le."""
    blocks: list[bytes] = []
    with cast("InputContainer", av.open(io.BytesIO(flac))) as container:
        for frame in container.decode(audio=0):
            assert frame.format.name == "s16"
            blocks.append(bytes(frame.planes[0])[: frame.samples * 2 * channels])
    return b"".join(blocks)
