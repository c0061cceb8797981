"""Files that are not what they say, or worse: each is refused in words that help, and no more happens."""

from __future__ import annotations

import asyncio
import struct
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

import audio_files
from media_sources import EndlessTone, MemorySource, tone, two_streams, wav_header, with_video
from otokura.shared.errors import Unavailable, UnsupportedMedia
from otokura.shared.media.decoder import Limits, _messages, decode, probe
from otokura.shared.media.process import DecoderProcess
from otokura.shared.media.wire import HEADER, MAX_BYTES, READ, Message

MP3 = audio_files.encoded(tone(16_000, 1, 64_000), 16_000, 1, "mp3", "libmp3lame")
FLAC = audio_files.encoded(tone(16_000, 2, 64_000), 16_000, 2, "flac", "flac")
WEBM = audio_files.encoded(tone(48_000, 1, 96_000), 48_000, 1, "webm", "libopus")
OGG = audio_files.encoded(tone(48_000, 2, 96_000), 48_000, 2, "ogg", "libopus")
MP4 = audio_files.encoded(tone(16_000, 1, 64_000), 16_000, 1, "mp4", "aac")
WAV = audio_files.wav(tone(8000, 2, 16_000), 8000, 2)
SECRET = Path(__file__)


def zipped() -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("audio.wav", WAV)
    return file.getvalue()


def flac_of_a_year() -> bytes:
    """STREAMINFO ends with 36 bits of sample count; FLAC can claim 49 days at 16 kHz."""
    changed = bytearray(FLAC)
    at = 4 + 4 + 10
    word = int.from_bytes(changed[at : at + 8]) | (2**36 - 1)
    changed[at : at + 8] = word.to_bytes(8)
    return bytes(changed)


def rf64_of_a_year() -> bytes:
    samples = tone(8000, 1, 8000)
    sizes = struct.pack("<QQQI", 2**40, 365 * 86_400 * 16_000, 365 * 86_400 * 8000, 0)
    body = wav_header(0xFFFFFFFF, 8000, 1, tag=1, bits=16)[12:]
    return b"RF64" + b"\xff" * 4 + b"WAVEds64" + struct.pack("<I", len(sizes)) + sizes + body + samples


def mp4_of_days() -> bytes:
    """The length stands in `mdhd`, in units that it names itself."""
    changed = bytearray(MP4)
    at = changed.index(b"mdhd") + 4 + 4 + 8
    units = int.from_bytes(changed[at : at + 4])
    changed[at + 4 : at + 8] = min(365 * 86_400 * units, 2**32 - 2).to_bytes(4)
    return bytes(changed)


UNOPENED = {
    "a text named .wav": b"Dear sir, please find attached the recording.\n" * 200,
    "a text of one letter": b"x",
    "a page": b"<!doctype html><html><body>404</body></html>" * 10,
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(500),
    "an archive": zipped(),
    "zeros": bytes(100_000),
    "noise": np.random.default_rng(5).integers(0, 256, 100_000, np.uint8).tobytes(),
    "an HLS playlist": b"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://%s\n#EXT-X-ENDLIST\n"
    % bytes(SECRET),
    "a list of files": b"ffconcat version 1.0\nfile '%s'\n" % bytes(SECRET),
    "a DASH manifest": b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>',
    "a session description": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=audio 5004 RTP/AVP 0\n",
    "a metadata file": b";FFMETADATA1\ntitle=x\n",
    "a header and no more": b"RIFF\x24\0\0\0WAVE",
    "a truncated MP4": MP4[: len(MP4) // 2],
}
DAMAGED = {
    "a truncated MP3": (MP3[: len(MP3) // 2], "ends after"),
    "a truncated WAV": (WAV[: len(WAV) // 2], "ends after"),
    "a truncated FLAC": (FLAC[: len(FLAC) // 2], "after"),
    "a truncated WebM": (WEBM[: len(WEBM) // 2], "ends after"),
    "a WAV that claims days": (wav_header(0xFFFFFFF0, 8000, 1, tag=1, bits=16) + WAV[44:], "ends after"),
    "an RF64 that claims a year": (rf64_of_a_year(), "ends after"),
    "a FLAC that claims weeks": (flac_of_a_year(), "ends after"),
    "a WAV without samples": (wav_header(0, 8000, 1, tag=1, bits=16), "no audio"),
    "a WAV of eight channels": (audio_files.wav(bytes(16_000), 8000, 8), "8 channels"),
    "a WAV of 1 Hz": (audio_files.wav(bytes(100), 1, 1), "1 samples a second"),
    "a WAV of 4 GHz": (wav_header(8000, 4_000_000_000, 1, tag=7, bits=8) + bytes(8000), "cannot be opened"),
    "a codec nobody uses": (wav_header(8000, 8000, 1, tag=0x11A, bits=8) + bytes(8000), "is not accepted"),
    "a film without sound": (with_video(b"", 48_000), "no audio"),
    "two audio streams": (two_streams(tone(48_000, 1, 48_000), 48_000), "2 audio streams"),
    "a change of channels": (
        OGG + audio_files.encoded(tone(48_000, 1, 96_000), 48_000, 1, "ogg", "libopus"),
        "damaged after 2000 ms",
    ),
}


@pytest.mark.guarantee("M2")
@pytest.mark.parametrize("kind", UNOPENED)
async def test_what_is_no_audio_is_refused(kind: str) -> None:
    with pytest.raises(UnsupportedMedia) as refusal:
        await probe(MemorySource(UNOPENED[kind]))
    assert "cannot be opened" in refusal.value.detail
    assert str(SECRET) not in refusal.value.detail


@pytest.mark.guarantee("M2")
@pytest.mark.parametrize("kind", DAMAGED)
async def test_what_is_not_whole_is_refused(kind: str) -> None:
    data, words = DAMAGED[kind]
    with pytest.raises(UnsupportedMedia, match=words):
        await probe(MemorySource(data))


async def test_the_length_in_the_header_of_an_mp4_is_not_believed() -> None:
    """Its index lists every sample; the header says the same again, or not."""
    assert await probe(MemorySource(mp4_of_days())) == await probe(MemorySource(MP4))


@pytest.mark.guarantee("M2")
async def test_a_file_of_zero_bytes_is_empty() -> None:
    with pytest.raises(UnsupportedMedia, match="empty"):
        await probe(MemorySource(b""))
    with pytest.raises(UnsupportedMedia, match="empty"):
        await anext(decode(MemorySource(b"")))


@pytest.mark.parametrize(
    "original", [MP3, FLAC, WEBM, OGG, MP4, WAV], ids=["mp3", "flac", "webm", "ogg", "mp4", "wav"]
)
async def test_a_damaged_file_is_decoded_or_refused_and_nothing_else(original: bytes) -> None:
    random = np.random.default_rng(len(original))
    for _ in range(6):
        changed = bytearray(original)
        for _ in range(20):
            # half of the damage goes to the beginning, where the structure is
            place = int(random.integers(0, len(changed) if random.random() < 0.5 else 200))
            changed[place] = int(random.integers(0, 256))
        assert await samples_or_refusal(bytes(changed))


async def samples_or_refusal(data: bytes) -> int | str:
    try:
        return (await probe(MemorySource(data))).samples
    except UnsupportedMedia as refusal:
        return refusal.detail


async def test_a_file_may_not_take_all_the_time() -> None:
    with pytest.raises(UnsupportedMedia, match="processor time"):
        await probe(EndlessTone(1 << 40, 16_000), Limits(cpu_seconds=1, max_seconds=2**40))
    with pytest.raises(UnsupportedMedia, match="more time"):
        await probe(EndlessTone(1 << 40), Limits(wall_seconds=0.5, max_seconds=2**40))


async def test_a_file_may_not_be_longer_than_a_call_can_be() -> None:
    with pytest.raises(UnsupportedMedia, match="longer than 10 seconds"):
        await probe(EndlessTone(1 << 22), Limits(max_seconds=10))


async def test_a_file_may_not_take_all_the_memory() -> None:
    """An MP4 whose tables claim 4 billion entries, in an address space that has no room for them."""
    changed = bytearray(MP4)
    for table in (b"stsz", b"stts", b"stsc", b"stco"):
        at = changed.index(table) + 8 + (4 if table == b"stsz" else 0)
        changed[at : at + 4] = b"\x0f\xff\xff\xff"
    with pytest.raises(UnsupportedMedia):
        await probe(MemorySource(bytes(changed)), Limits(memory_bytes=256 * 1024 * 1024))


async def test_a_decoder_without_room_to_start_is_our_fault_not_the_files() -> None:
    with pytest.raises((Unavailable, UnsupportedMedia)):
        await probe(MemorySource(WAV), Limits(memory_bytes=1024))


def said(kind: int, payload: bytes) -> bytes:
    return HEADER.pack(kind, len(payload)) + payload


READY = said(Message.READY, b"")
FORMAT = said(Message.FORMAT, b'{"container":"wav","codec":"x","sample_rate":8000,"channels":1}')
LIES = {
    "an unknown message": READY + said(99, b""),
    "a message beyond all bounds": READY + HEADER.pack(Message.AUDIO, 2**32 - 1),
    "a read behind the end": READY + said(Message.READ, READ.pack(90, 20)),
    "a read beyond all bounds": READY + said(Message.READ, READ.pack(0, MAX_BYTES + 1)),
    "a read of nothing": READY + said(Message.READ, READ.pack(0, 0)),
    "a read without a place": READY + said(Message.READ, b"x"),
    "a reason that is none": READY + said(Message.FAILED, b'{"reason":"because"}'),
    "words of its own": READY + said(Message.FAILED, b'{"reason":"codec","name":"<script>"}'),
    "an end without a word": READY,
}


@pytest.mark.guarantee("M1")
@pytest.mark.parametrize("lie", LIES)
async def test_a_decoder_that_was_taken_over_is_not_believed(lie: str) -> None:
    script = (
        f"import sys; sys.stdout.buffer.write({LIES[lie]!r}); sys.stdout.flush(); sys.stdin.buffer.read()"
    )
    if lie == "an end without a word":
        script = script.replace("sys.stdin.buffer.read()", "sys.exit(0)")
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    messages = _messages(DecoderProcess(child, 20), MemorySource(bytes(100)), {})
    with pytest.raises(UnsupportedMedia, match="decoder"):
        await anext(messages)
    if child.returncode is None:
        child.kill()
    await child.communicate()
