"""What can be streamed live is told from what cannot, before a call is started."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from otokura.cli.calls.wav import Wav, WavError, read_wav


def wav_bytes(
    samples: bytes, *, code: int, channels: int = 1, rate: int = 8000, bits: int = 16, extra: bytes = b""
) -> bytes:
    block = channels * bits // 8
    form = struct.pack("<HHIIHH", code, channels, rate, rate * block, block, bits) + extra
    chunks = b"fmt " + struct.pack("<I", len(form)) + form
    chunks += b"LIST" + struct.pack("<I", 3) + b"odd\0"
    chunks += b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def written(folder: Path, content: bytes) -> Path:
    path = folder / "call.wav"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("code", "bits", "channels", "rate", "encoding"),
    [
        (1, 16, 1, 8000, "pcm_s16le"),
        (1, 16, 2, 16000, "pcm_s16le"),
        (6, 8, 2, 8000, "alaw"),
        (7, 8, 2, 8000, "mulaw"),
    ],
)
def test_formats_of_the_stream_are_read(
    tmp_path: Path, code: int, bits: int, channels: int, rate: int, encoding: str
) -> None:
    samples = bytes(range(80))
    path = written(tmp_path, wav_bytes(samples, code=code, channels=channels, rate=rate, bits=bits))
    wav = read_wav(path)
    assert (wav.encoding, wav.channels, wav.rate) == (encoding, channels, rate)
    assert path.read_bytes()[wav.start : wav.start + wav.size] == samples
    assert wav.samples == 80 // (channels * bits // 8)


def test_an_extensible_header_names_its_format_in_the_subformat(tmp_path: Path) -> None:
    extra = struct.pack("<HHIH", 22, 16, 3, 1) + bytes(14)
    wav = read_wav(written(tmp_path, wav_bytes(bytes(8), code=0xFFFE, channels=2, extra=extra)))
    assert (wav.encoding, wav.samples) == ("pcm_s16le", 2)


def test_a_file_that_was_cut_off_ends_where_it_ends(tmp_path: Path) -> None:
    whole = wav_bytes(bytes(4000), code=1, channels=2)
    wav = read_wav(written(tmp_path, whole[:-1999]))
    assert wav.size == 2000


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "not a WAV file"),
        (b"just some text, named .wav", "not a WAV file"),
        (b"RIFF\4\0\0\0WAVE", "no samples"),
        (b"RIFF\x10\0\0\0WAVEfmt \2\0\0\0\1\0", "broken header"),
        (wav_bytes(bytes(8), code=1, rate=44100), "44100 Hz"),
        (wav_bytes(bytes(12), code=1, channels=6), "6 channel"),
        (wav_bytes(bytes(8), code=3, bits=32), "format 3"),
        (wav_bytes(bytes(8), code=1, bits=8), "8 bits"),
    ],
)
def test_what_cannot_be_streamed_is_refused_with_the_reason(tmp_path: Path, content: bytes, why: str) -> None:
    with pytest.raises(WavError, match=why):
        read_wav(written(tmp_path, content))


def test_a_frame_holds_one_sample_of_every_channel() -> None:
    assert Wav(Path("x"), "pcm_s16le", 8000, 2, 44, 400).frame_bytes == 4
    assert Wav(Path("x"), "mulaw", 8000, 2, 44, 400).frame_bytes == 2
