"""Files that want more than they are worth: time, memory, reading, or a length that they do not have."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile

import numpy as np
import soundfile  # type: ignore[import-untyped]

from audio_files import encoded
from media_sources import tone, wav_header

_EBML_HEADER = (
    b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08"
    b"\x42\x82\x88matroska\x42\x87\x81\x04\x42\x85\x81\x02"
)
_UNKNOWN_SIZE = b"\x01" + b"\xff" * 7
_SEGMENT, _INFO = b"\x18\x53\x80\x67", b"\x15\x49\xa9\x66"


def zip_bomb() -> bytes:
    """50 MB of silence in 50 kB, whatever the file is called."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("audio.wav", bytes(50_000_000))
    return file.getvalue()


def gzip_bomb() -> bytes:
    return gzip.compress(bytes(50_000_000))


def wav_of_a_year() -> bytes:
    """RF64 can claim it; a second of samples follows."""
    sizes = struct.pack("<QQQI", 2**40, 365 * 86_400 * 16_000, 365 * 86_400 * 8000, 0)
    body = wav_header(0xFFFFFFFF, 8000, 1, tag=1, bits=16)[12:]
    head = b"RF64" + b"\xff" * 4 + b"WAVEds64" + struct.pack("<I", len(sizes)) + sizes
    return head + body + tone(8000, 1, 8000)


def wav_of_chunks(count: int) -> bytes:
    """Samples behind so many empty chunks."""
    head = wav_header(16_000, 8000, 1, tag=1, bits=16)
    return head[:36] + b"junk\0\0\0\0" * count + head[36:] + tone(8000, 1, 8000)


def flac_of_49_days() -> bytes:
    """STREAMINFO ends with 36 bits of sample count."""
    changed = bytearray(encoded(tone(16_000, 2, 64_000), 16_000, 2, "flac", "flac"))
    at = 4 + 4 + 10
    word = int.from_bytes(changed[at : at + 8]) | (2**36 - 1)
    changed[at : at + 8] = word.to_bytes(8)
    return bytes(changed)


def silence(seconds: int, container: str, codec: str) -> bytes:
    """Nothing, for as long as one likes, in next to no bytes."""
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", 8000, 1, format=container, subtype=codec) as writer:
        for _ in range(seconds):
            writer.write(np.zeros(8000, np.int16))
    return file.getvalue()


def chained_ogg(links: int) -> bytes:
    """Whole streams one after the other (RFC 3533 §4), each of 20 s."""
    return silence(20, "OGG", "VORBIS") * links


def nested_matroska(depth: int) -> bytes:
    """Elements of unknown size in each other."""
    return _EBML_HEADER + _SEGMENT + _UNKNOWN_SIZE + (_INFO + _UNKNOWN_SIZE) * depth


def box(name: bytes, body: bytes) -> bytes:
    """A box of ISO/IEC 14496-12."""
    return struct.pack(">I", 8 + len(body)) + name + body


def nested_mp4(depth: int) -> bytes:
    body = b""
    for level in range(depth):
        body = box(b"moov" if level % 2 else b"trak", body)
    return box(b"ftyp", b"isom\0\0\2\0isom") + body


def mp4_of_tables(entries: int) -> bytes:
    """Tables that claim so many entries each, and have a few."""
    changed = bytearray(encoded(tone(16_000, 1, 64_000), 16_000, 1, "mp4", "aac"))
    for table in (b"stsz", b"stts", b"stsc", b"stco"):
        at = changed.index(table) + 8 + (4 if table == b"stsz" else 0)
        changed[at : at + 4] = struct.pack(">I", entries)
    return bytes(changed)


def mp4_of_samples(count: int) -> bytes:
    """Tables of one entry each, that stand for so many samples of a byte."""
    changed = bytearray(encoded(tone(16_000, 1, 64_000), 16_000, 1, "mp4", "aac"))
    for table, words in {b"stsz": (1, count), b"stts": (1, count), b"stsc": (1, 1, count, 1)}.items():
        at = changed.index(table) + 8
        changed[at : at + 4 * len(words)] = struct.pack(f">{len(words)}I", *words)
    return bytes(changed)


def scattered_mov(samples: int, apart: int) -> bytes:
    """µ-law whose samples lie by turns at the two ends of the file, so that each must be fetched anew."""
    ends = box(b"ftyp", b"qt  \0\0\2\0qt  ")
    first = len(ends) + len(_moov(samples, range(samples))) + 8
    places = [first + (0 if number % 2 else apart) + number // 2 for number in range(samples)]
    return ends + _moov(samples, places) + box(b"mdat", b"\xff" * (apart + samples))


def _moov(samples: int, places: range | list[int]) -> bytes:
    entry = bytes(6) + struct.pack(">H8xHHHHI", 1, 1, 16, 0, 0, 8000 << 16)
    table = (
        box(b"stsd", struct.pack(">II", 0, 1) + box(b"ulaw", entry))
        + box(b"stts", struct.pack(">IIII", 0, 1, samples, 1))
        + box(b"stsc", struct.pack(">IIIII", 0, 1, 1, 1, 1))
        + box(b"stsz", struct.pack(">III", 0, 1, samples))
        + box(b"stco", struct.pack(f">II{samples}I", 0, samples, *places))
    )
    data = box(b"dinf", box(b"dref", struct.pack(">II", 0, 1) + box(b"url ", struct.pack(">I", 1))))
    media = (
        box(b"mdhd", struct.pack(">IIIIIHH", 0, 0, 0, 8000, samples, 0, 0))
        + box(b"hdlr", struct.pack(">II4s", 0, 0, b"soun") + bytes(13))
        + box(b"minf", box(b"smhd", bytes(8)) + data + box(b"stbl", table))
    )
    track = box(b"tkhd", struct.pack(">IIIIII60x", 7, 0, 0, 1, 0, samples)) + box(b"mdia", media)
    return box(b"moov", box(b"mvhd", struct.pack(">IIIII80x", 0, 0, 0, 8000, samples)) + box(b"trak", track))
