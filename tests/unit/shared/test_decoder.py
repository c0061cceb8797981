"""Real files in real codecs, decoded in the confined process."""

from __future__ import annotations

import asyncio

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

import audio_files
from media_sources import EndlessTone, MemorySource, tone, wav_header, with_video
from otokura.shared.errors import Unavailable
from otokura.shared.media.decoder import MediaInfo, Pcm, decode, probe
from otokura.shared.media.flac import FlacWriter

LOSSLESS = [("wav", "pcm_s16le", 8000), ("flac", "flac", 16_000), ("aiff", "pcm_s16be", 44_100)]
TELEPHONE = [("wav", "pcm_mulaw", 8000), ("wav", "pcm_alaw", 8000)]
LOSSY = [
    ("mp3", "libmp3lame", 16_000),
    ("mp3", "libmp3lame", 44_100),
    ("mp4", "aac", 16_000),
    ("adts", "aac", 48_000),
    ("ogg", "libopus", 48_000),
    ("webm", "libopus", 48_000),
]
NAMES = {"mp4": "mov", "adts": "aac", "webm": "matroska"}
CODECS = {"libmp3lame": "mp3float", "libopus": "opus"}


async def samples_of(data: bytes, rate: int | None = None) -> tuple[list[Pcm], NDArray[np.int16]]:
    blocks = [block async for block in decode(MemorySource(data), rate=rate)]
    joined = np.frombuffer(b"".join(block.data for block in blocks), "<i2")
    return blocks, joined.reshape(-1, blocks[0].channels)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(("container", "codec", "rate"), LOSSLESS)
async def test_lossless_files_come_back_sample_for_sample(
    container: str, codec: str, rate: int, channels: int
) -> None:
    pcm = tone(rate, channels, 2 * rate + 7)
    data = audio_files.encoded(pcm, rate, channels, container, codec)
    assert await probe(MemorySource(data)) == MediaInfo(container, codec, rate, channels, 2 * rate + 7)
    _, samples = await samples_of(data)
    assert samples.tobytes() == pcm


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(("container", "codec", "rate"), [*TELEPHONE, *LOSSY])
async def test_lossy_files_come_back_with_their_length_and_pitch(
    container: str, codec: str, rate: int, channels: int
) -> None:
    data = audio_files.encoded(tone(rate, channels, 3 * rate), rate, channels, container, codec)
    info = await probe(MemorySource(data))
    assert (info.container, info.codec) == (NAMES.get(container, container), CODECS.get(codec, codec))
    assert (info.sample_rate, info.channels) == (rate, channels)
    assert abs(info.duration_ms - 3000) < 150
    _, samples = await samples_of(data)
    assert len(samples) == info.samples
    assert [pitch(samples[:, channel], rate) for channel in range(channels)] == [440, 660][:channels]


def pitch(samples: NDArray[np.int16], rate: int) -> int:
    """The strongest frequency of a second in the middle, in Hz."""
    second = samples[rate : 2 * rate].astype(np.float64)
    return int(np.argmax(np.abs(np.fft.rfft(second))))


@pytest.mark.parametrize("rate", [8000, 16_000, 24_000])
async def test_any_rate_can_be_asked_for(rate: int) -> None:
    data = audio_files.encoded(tone(44_100, 2, 3 * 44_100), 44_100, 2, "flac", "flac")
    blocks, samples = await samples_of(data, rate)
    assert {block.sample_rate for block in blocks} == {rate}
    assert abs(len(samples) - 3 * rate) <= 2
    assert [pitch(samples[:, channel], rate) for channel in (0, 1)] == [440, 660]


async def test_blocks_follow_each_other_and_hold_at_most_a_second() -> None:
    pcm = tone(8000, 2, 8000 * 3 + 100)
    blocks, _ = await samples_of(audio_files.wav(pcm, 8000, 2))
    assert [block.samples for block in blocks] == [8000, 8000, 8000, 100]
    assert [block.start for block in blocks] == [0, 8000, 16_000, 24_000]


async def test_an_mp4_is_read_from_its_end() -> None:
    """The index of an MP4 that was written front to back stands last."""
    noise = np.random.default_rng(1).integers(-20_000, 20_000, 48_000 * 150, "<i2").tobytes()
    data = audio_files.encoded(noise, 48_000, 2, "mp4", "aac")
    assert data.index(b"moov") > len(data) // 2
    assert len(data) > 1024 * 1024
    source = MemorySource(data)
    assert (await probe(source)).sample_rate == 48_000
    offsets = [offset for offset, _ in source.reads]
    assert offsets != sorted(offsets)


async def test_video_beside_the_audio_is_left_alone() -> None:
    data = with_video(tone(48_000, 1, 48_000), 48_000)
    info = await probe(MemorySource(data))
    assert (info.codec, info.channels) == ("opus", 1)
    assert abs(info.duration_ms - 1000) < 50


@pytest.mark.parametrize("claim", [0, 0xFFFFFFFF])
async def test_a_wav_whose_writer_could_not_know_its_length_is_taken_whole(claim: int) -> None:
    pcm = tone(8000, 1, 12_345)
    info = await probe(MemorySource(wav_header(claim, 8000, 1, tag=1, bits=16) + pcm))
    assert info.samples == 12_345


async def test_what_stands_behind_the_audio_is_not_audio() -> None:
    pcm = tone(8000, 1, 8000)
    data = wav_header(len(pcm), 8000, 1, tag=1, bits=16) + pcm + b"LIST\x0a\0\0\0INFOabcdef"
    assert (await probe(MemorySource(data))).samples == 8000


async def test_our_own_recordings_decode() -> None:
    writer, pcm = FlacWriter(8000, 2), tone(8000, 2, 50_000)
    frames = writer.write(pcm) + writer.finish()
    _, samples = await samples_of(writer.header() + frames)
    assert samples.tobytes() == pcm


@pytest.mark.slow
@pytest.mark.guarantee("M3")
async def test_a_gigabyte_takes_the_memory_of_a_megabyte() -> None:
    """1 GB is decoded while neither this process grows by 32 MB nor the decoder beyond 128 MB."""
    process = psutil.Process()
    await probe(EndlessTone(1 << 20))
    before = process.memory_info().rss
    peak = decoder_peak = samples = 0
    async for block in decode(EndlessTone(1 << 30)):
        if not samples % (100 * block.sample_rate):
            peak = max(peak, process.memory_info().rss)
            for child in decoders(process):
                decoder_peak = max(decoder_peak, child.memory_info().rss)
        samples += block.samples
    assert samples == (1 << 30) // 4
    assert peak - before < 32 * 1024 * 1024
    assert 0 < decoder_peak < 128 * 1024 * 1024


class StuckSource(EndlessTone):
    """Is asked, and never answers."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.asked = asyncio.Event()

    async def read(self, offset: int, length: int) -> bytes:
        self.asked.set()
        await asyncio.Event().wait()
        return await super().read(offset, length)


class AwaySource(EndlessTone):
    """Is of no use after its first megabyte."""

    async def read(self, offset: int, length: int) -> bytes:
        if offset:
            raise Unavailable("the store is away")
        return await super().read(offset, length)


def decoders(process: psutil.Process) -> list[psutil.Process]:
    return [child for child in process.children() if "otokura.shared.media.child" in child.cmdline()]


async def test_a_decoding_that_is_left_ends_its_process() -> None:
    stream = decode(EndlessTone(1 << 28))
    await anext(stream)
    running = decoders(psutil.Process())
    assert len(running) == 1
    await stream.aclose()
    assert not any(child.is_running() for child in running)


async def test_a_decoding_that_is_cancelled_ends_its_process() -> None:
    source = StuckSource(1 << 30)
    task = asyncio.create_task(probe(source))
    await source.asked.wait()
    running = decoders(psutil.Process())
    assert len(running) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not any(child.is_running() for child in running)


async def test_a_source_that_fails_is_the_callers_error() -> None:
    with pytest.raises(Unavailable, match="store is away"):
        await probe(AwaySource(1 << 22))


async def test_a_rate_that_is_none_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="sample rate"):
        await anext(decode(MemorySource(b"x"), rate=1))


async def test_several_files_at_once() -> None:
    files = [audio_files.wav(tone(8000, 1, 1000 * number), 8000, 1) for number in range(1, 6)]
    infos = await asyncio.gather(*(probe(MemorySource(data)) for data in files))
    assert [info.samples for info in infos] == [1000, 2000, 3000, 4000, 5000]
