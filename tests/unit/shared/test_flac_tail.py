"""A recording that is entered in the middle: the samples from there on, and no request for what is before."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile  # type: ignore[import-untyped]

from media_sources import MemorySource
from otokura.shared.media.decoder import decode
from otokura.shared.media.flac import SEEK_SECONDS, FlacWriter
from otokura.shared.media.flac_tail import tail

RATE = 8000


def written(seconds: int, channels: int) -> tuple[bytes, bytes]:
    """Noise, and the FLAC file of it."""
    pcm = np.random.default_rng(4).integers(-9000, 9000, (seconds * RATE + 17) * channels, "<i2").tobytes()
    writer = FlacWriter(RATE, channels)
    frames = writer.write(pcm) + writer.finish()
    return pcm, writer.header() + frames


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("second", [0, 9, 10, 25, 34])
async def test_the_samples_from_there_on_are_those_of_the_whole(second: int, channels: int) -> None:
    pcm, file = written(35, channels)
    source, first = await tail(MemorySource(file), second * RATE)
    assert second * RATE - first < (SEEK_SECONDS + 1) * RATE
    assert first <= second * RATE
    found = b"".join([block.data async for block in decode(source)])
    assert found == pcm[first * 2 * channels :]


async def test_nothing_before_is_read_but_the_header() -> None:
    """What lies before costs nothing, however long it is."""
    _, file = written(60, 2)
    stored = MemorySource(file)
    source, first = await tail(stored, 55 * RATE)
    assert first > 0
    stored.reads.clear()
    assert len(await source.read(0, 1 << 20)) == source.size
    assert min(offset for offset, _ in stored.reads) > len(file) // 2


@pytest.mark.parametrize("damage", ["another writer", "no table", "empty"])
async def test_a_file_that_we_did_not_write_is_taken_as_it_is(damage: str) -> None:
    _, file = written(30, 1)
    other = io.BytesIO()
    soundfile.write(other, np.zeros(30 * RATE, "<i2"), RATE, format="FLAC", subtype="PCM_16")
    source = MemorySource(
        {"another writer": other.getvalue(), "no table": file[:42] + b"\x84" + file[43:], "empty": b""}[
            damage
        ]
    )
    assert await tail(source, 25 * RATE) == (source, 0)
