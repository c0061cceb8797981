"""Every format that is promised, as a real file, from its first byte to the manifest.

The files are made as the tests run, by FFmpeg (PyAV) and libsndfile. Neither has an encoder of AMR-WB:
`golden/tone.awb` is two seconds of 440 Hz by VisualOn's (Debian's libvo-amrwbenc0), at 12.65 kbit/s.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from audio_files import by_libsndfile, encoded
from ingest_service import IngestService, start_call
from phone_system import speechlike
from tus_client import BYTES

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]

GOLDEN = Path(__file__).parent / "golden"
SECONDS = 2
ROLES = {1: [{"role": "mixed"}], 2: [{"role": "customer"}, {"role": "agent"}]}


@dataclass(frozen=True)
class Format:
    """What a file holds, and by how many milliseconds its codec may make it longer."""

    media_type: str
    rate: int
    channels: int
    make: Callable[[bytes, int, int], bytes]
    longer_ms: int = 0


def ffmpeg(container: str, codec: str) -> Callable[[bytes, int, int], bytes]:
    return lambda pcm, rate, channels: encoded(pcm, rate, channels, container, codec)


def libsndfile(container: str, encoding: str) -> Callable[[bytes, int, int], bytes]:
    return lambda pcm, rate, channels: by_libsndfile(pcm, rate, channels, container, encoding)


FORMATS = {
    "WAV, 8 bits": Format("audio/wav", 8000, 2, libsndfile("WAV", "PCM_U8")),
    "WAV, 16 bits": Format("audio/wav", 16_000, 2, libsndfile("WAV", "PCM_16")),
    "WAV, 24 bits": Format("audio/wav", 48_000, 2, libsndfile("WAV", "PCM_24")),
    "WAV, 32 bits": Format("audio/wav", 44_100, 1, libsndfile("WAV", "PCM_32")),
    "WAV, float": Format("audio/wav", 48_000, 2, libsndfile("WAV", "FLOAT")),
    "WAV, extensible": Format("audio/wav", 16_000, 2, libsndfile("WAVEX", "PCM_24")),
    "WAV, µ-law": Format("audio/wav", 8000, 2, libsndfile("WAV", "ULAW")),
    "WAV, A-law": Format("audio/wav", 8000, 2, libsndfile("WAV", "ALAW")),
    "WAV, GSM 6.10": Format("audio/wav", 8000, 1, libsndfile("WAV", "GSM610"), 40),
    "WAV, IMA ADPCM": Format("audio/wav", 8000, 2, libsndfile("WAV", "IMA_ADPCM"), 70),
    "WAV, Microsoft ADPCM": Format("audio/wav", 8000, 2, libsndfile("WAV", "MS_ADPCM"), 70),
    "WAV over 4 GB (RF64)": Format("audio/wav", 8000, 2, libsndfile("RF64", "PCM_16")),
    "AIFF": Format("audio/aiff", 44_100, 2, libsndfile("AIFF", "PCM_16")),
    "FLAC": Format("audio/flac", 16_000, 2, ffmpeg("flac", "flac")),
    "FLAC, 24 bits": Format("audio/flac", 48_000, 1, libsndfile("FLAC", "PCM_24")),
    "MP3": Format("audio/mpeg", 44_100, 2, ffmpeg("mp3", "libmp3lame"), 60),
    "MP3, 8 kHz": Format("audio/mpeg", 8000, 1, ffmpeg("mp3", "libmp3lame"), 200),
    "M4A": Format("audio/mp4", 16_000, 2, ffmpeg("ipod", "aac"), 130),
    "MP4, Apple Lossless": Format("audio/mp4", 16_000, 2, ffmpeg("ipod", "alac")),
    "AAC (ADTS)": Format("audio/aac", 48_000, 2, ffmpeg("adts", "aac"), 50),
    "Ogg/Opus": Format("audio/ogg", 48_000, 2, ffmpeg("ogg", "libopus"), 30),
    "Ogg/Vorbis": Format("audio/ogg", 8000, 2, libsndfile("OGG", "VORBIS"), 30),
    "Matroska/Opus": Format("audio/webm", 48_000, 2, ffmpeg("matroska", "libopus"), 30),
    "WebM/Opus": Format("audio/webm", 48_000, 2, ffmpeg("webm", "libopus"), 30),
    "AMR-NB": Format("audio/amr", 8000, 1, ffmpeg("amr", "libopencore_amrnb"), 40),
    "AMR-NB in 3GP": Format("audio/mp4", 8000, 1, ffmpeg("3gp", "libopencore_amrnb"), 40),
    "AMR-WB": Format("audio/amr", 16_000, 1, lambda *_: (GOLDEN / "tone.awb").read_bytes()),
}


@pytest.mark.guarantee("A44")
@pytest.mark.parametrize("name", FORMATS)
async def test_a_format_is_taken_as_it_is(
    ingest: IngestService, client: httpx.AsyncClient, name: str
) -> None:
    """The manifest tells what was found in the file; the recording is the file."""
    expected = FORMATS[name]
    pcm = speechlike(SECONDS, expected.rate, expected.channels)
    data = expected.make(pcm, expected.rate, expected.channels)
    call = await start_call(client, channels=ROLES[expected.channels])
    created = await client.post(
        f"/v1/calls/{call['id']}/uploads", content=data, headers={**BYTES, "Upload-Length": str(len(data))}
    )
    assert created.status_code == 201, created.text
    view = (await client.get(f"/v1/calls/{call['id']}")).json()
    assert (view["state"], view["failure"]) == ("sealed", None)
    manifest, stored = await ingest.recording(call["id"])
    assert stored == data
    assert manifest.recording.plaintext_sha256 == hashlib.sha256(data).hexdigest()
    assert manifest.recording.media_type == expected.media_type
    assert (manifest.sample_rate, len(manifest.channels)) == (expected.rate, expected.channels)
    longer = manifest.samples - SECONDS * expected.rate
    assert 0 <= longer <= expected.longer_ms * expected.rate // 1000
    assert manifest.duration_ms == manifest.samples * 1000 // manifest.sample_rate
    assert view["recording"]["duration_ms"] == manifest.duration_ms
