"""The end of a recording as a FLAC file of its own: who wants to hear it need not decode all that is before.

Only for what `otokura.shared.media.flac` wrote and nobody changed: its seek table is believed. Frames of FLAC
stand for themselves (RFC 9639 §9), so those from a seek point on, behind a STREAMINFO that counts them alone,
decode to the very samples that they are in the whole.
"""

from __future__ import annotations

import struct

from otokura.shared.sealed_objects import RangeSource

_MAGIC = b"fLaC\x00\x00\x00\x22"
"""And the header of a STREAMINFO of 34 bytes that is not the last block (RFC 9639 §8.1)."""
_INFO_AT, _INFO_BYTES = 8, 34
_COUNT_AT, _COUNT_BITS = 10, 36
"""Eight bytes of STREAMINFO, of which the last 36 bits count samples."""
_TABLE_AT = _INFO_AT + _INFO_BYTES
_LAST_SEEKTABLE, _LAST_STREAMINFO = 0x83, 0x80
_POINT = struct.Struct(">QQH")
"""First sample of a frame, its offset from the first frame, its samples (RFC 9639 §8.5)."""


class _Tail:
    """A `RangeSource`: a header, and a file from an offset on."""

    def __init__(self, header: bytes, file: RangeSource, start: int) -> None:
        self._header = header
        self._file = file
        self._start = start

    @property
    def size(self) -> int:
        """Bytes of both."""
        return len(self._header) + self._file.size - self._start

    async def read(self, offset: int, length: int) -> bytes:
        """The bytes [offset, offset + length), fewer at the end, none after it."""
        head = self._header[offset : offset + length]
        rest = length - len(head)
        if rest <= 0:
            return head
        return head + await self._file.read(self._start + max(0, offset - len(self._header)), rest)


async def tail(file: RangeSource, sample: int) -> tuple[RangeSource, int]:
    """The file from the last seek point before a sample on, and the number of its first sample.

    The file itself, from 0, where it has no such point.
    """
    head = await file.read(0, _TABLE_AT + 4)
    if not head.startswith(_MAGIC) or len(head) < _TABLE_AT + 4 or head[_TABLE_AT] != _LAST_SEEKTABLE:
        return file, 0
    table = await file.read(len(head), int.from_bytes(head[_TABLE_AT + 1 :]))
    frames_at = len(head) + len(table)
    whole = len(table) - len(table) % _POINT.size
    before = [(first, offset) for first, offset, _ in _POINT.iter_unpack(table[:whole]) if first <= sample]
    first, offset = max(before, default=(0, 0))
    info = bytearray(head[_INFO_AT:_TABLE_AT])
    counted = int.from_bytes(info[_COUNT_AT : _COUNT_AT + 8])
    left = counted % (1 << _COUNT_BITS) - first
    if first == 0 or left <= 0:
        return file, 0
    kept = counted >> _COUNT_BITS << _COUNT_BITS
    info[_COUNT_AT : _COUNT_AT + 8] = (kept | left).to_bytes(8)
    info[_COUNT_AT + 8 :] = bytes(16)  # the MD5 was that of all samples; zeros say that there is none
    header = b"fLaC" + bytes((_LAST_STREAMINFO,)) + len(info).to_bytes(3) + info
    return _Tail(header, file, frames_at + offset), first
