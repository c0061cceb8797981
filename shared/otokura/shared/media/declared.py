"""What a file says of its own length, where FFmpeg does not pass it on: a shorter file has lost its end."""

from __future__ import annotations

from typing import Protocol

_UNKNOWN_SIZES = {0, 0xFFFFFFFF}
"""What writers put who cannot seek back to correct it."""
_MAX_CHUNKS = 100_000
"""No recorder writes so many before its samples; each costs a look."""
_BLOCK = 64 * 1024
_XING_WITHIN = 200
"""The header lies behind the side information of the first frame, at most 4 + 2 + 32 bytes in."""


class Readable(Protocol):
    """Bytes at an offset."""

    def read_at(self, offset: int, length: int) -> bytes:
        """The bytes there, fewer at the end."""
        ...


class _Blocks:
    """A file read in blocks, so that a look at a few bytes is not a request each."""

    def __init__(self, file: Readable) -> None:
        self._file = file
        self._start = 0
        self._block = b""

    def read_at(self, offset: int, length: int) -> bytes:
        begin = offset - self._start
        if not 0 <= begin <= len(self._block) - length:
            self._start, self._block = offset, self._file.read_at(offset, _BLOCK)
            begin = 0
        return self._block[begin : begin + length]


def wav_ends_early(file: Readable, size: int) -> bool:
    """Whether the `data` chunk of a RIFF or RF64 (EBU Tech 3306) file of `size` bytes goes past its end.

    Also where it hides behind more chunks than any recorder writes.
    """
    file = _Blocks(file)
    position = 12
    declared = 0
    if file.read_at(0, 4) not in {b"RIFF", b"RF64"}:
        return False
    for _ in range(_MAX_CHUNKS):
        header = file.read_at(position, 8)
        if len(header) < 8:  # noqa: PLR2004 - chunk id and chunk size
            return False
        name, length = header[:4], int.from_bytes(header[4:], "little")
        position += 8
        if name == b"ds64":
            declared = int.from_bytes(file.read_at(position + 8, 8), "little")
        elif name == b"data":
            length = declared if length in _UNKNOWN_SIZES else length
            return length > 0 and position + length > size
        position += length + length % 2
    return True


def mp3_counts_frames(file: Readable) -> bool:
    """Whether an MP3 says how many frames it has (Xing or Info header), so that its length is no estimate."""
    start = 0
    tag = file.read_at(0, 10)
    if tag[:3] == b"ID3":  # ID3v2: the size has seven bits a byte
        start = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(tag[6:], (21, 14, 7, 0), strict=True))
    frame = file.read_at(start, _XING_WITHIN)
    at = max(frame.find(b"Xing"), frame.find(b"Info"))
    return at > 0 and len(frame) > at + 7 and bool(frame[at + 7] & 1)
