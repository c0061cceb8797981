"""AudioSocket's frames, read from a stream of bytes.

A frame is its kind (one byte), its length (two bytes, big-endian) and so many bytes. A length that lies
makes the next frame begin in the middle of another, and nothing says where the truth goes on: so a frame
whose length does not fit its kind, or of no known kind, ends the connection. Asterisk's documentation,
"AudioSocket"; github.com/CyCoreSystems/audiosocket, which has the silence frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from uuid import UUID


class Kind(IntEnum):
    """What a frame is, beside the nine kinds of audio in `RATES`."""

    HANGUP = 0x00
    UUID = 0x01
    SILENCE = 0x02
    DIGIT = 0x03
    ERROR = 0xFF


RATES = {
    0x10: 8000,
    0x11: 12000,
    0x12: 16000,
    0x13: 24000,
    0x14: 32000,
    0x15: 44100,
    0x16: 48000,
    0x17: 96000,
    0x18: 192000,
}
"""In Hz, of each kind of audio frame: signed 16-bit little-endian, one channel."""
_HEADER_BYTES = 3
_SAMPLE_BYTES = 2
_LENGTHS: dict[int, range] = {
    Kind.HANGUP: range(1),
    Kind.UUID: range(16, 17),
    Kind.SILENCE: range(0x10000),
    Kind.DIGIT: range(1, 2),
    Kind.ERROR: range(2),
    **{kind: range(_SAMPLE_BYTES, 0x10000, _SAMPLE_BYTES) for kind in RATES},
}


class BadFrame(Exception):  # noqa: N818 - named after what it is
    """The bytes are no frames; the text repeats nothing of them."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame.

    Attributes:
        kind: a `Kind`, or one of `RATES`.
        payload: its bytes; what was said, so never shown.
    """

    kind: int
    payload: bytes

    def __repr__(self) -> str:
        return f"Frame(kind={self.kind:#04x}, {len(self.payload)} bytes)"

    @property
    def rate(self) -> int | None:
        """In Hz, if the frame is audio."""
        return RATES.get(self.kind)

    @property
    def uuid(self) -> UUID:
        """Which recording this connection is for."""
        return UUID(bytes=self.payload)

    @property
    def error(self) -> int:
        """Asterisk's error bits: 1 hung up, 2 could not forward a frame, 4 out of memory; 0 is not said."""
        return self.payload[0] if self.payload else 0


class FrameReader:
    """Turns bytes, however they arrive, into frames. At most one frame is held back, waiting for its end."""

    def __init__(self) -> None:
        self._held = bytearray()

    @property
    def in_midst(self) -> bool:
        """Whether a frame has begun and not ended."""
        return bool(self._held)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Add bytes; gives the frames that are complete now.

        They come one by one, so that the good ones before a bad one are had.

        Raises:
            BadFrame: what follows are no frames.
        """
        self._held += data
        while (frame := self._next()) is not None:
            yield frame

    def _next(self) -> Frame | None:
        if len(self._held) < _HEADER_BYTES:
            return None
        kind, length = self._held[0], int.from_bytes(self._held[1:_HEADER_BYTES], "big")
        allowed = _LENGTHS.get(kind)
        if allowed is None:
            raise BadFrame("a frame of no known kind")
        if length not in allowed:
            raise BadFrame(f"a frame of kind {kind:#04x} with {length} bytes")
        end = _HEADER_BYTES + length
        if len(self._held) < end:
            return None
        payload = bytes(self._held[_HEADER_BYTES:end])
        del self._held[:end]
        return Frame(kind, payload)
