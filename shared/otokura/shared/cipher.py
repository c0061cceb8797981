"""Google Tink's streaming AEAD, AES256-GCM-HKDF with 64 KiB ciphertext segments.

Format: https://developers.google.com/tink/streaming-aead/aes_gcm_hkdf_streaming. Byte for byte:

    header    0x28 | salt[32] | nonce prefix[7]                                   40 bytes
    key       HKDF-SHA256(input key, salt, info=associated data), 32 bytes
    segment i AES-256-GCM(key, nonce prefix | uint32_be(i) | 1 if last else 0)    at offset i * 65536

The header takes the first 40 bytes of segment 0, so segment 0 holds 65,480 bytes of plaintext and every other
holds 65,520; the last may be shorter, and is empty only if the message is. A flipped bit, a moved, dropped
or added segment, another key or other associated data: all raise `IntegrityError`. The format does not
commit to its key, so check `otokura.shared.keys.check_commitment` before opening anything.
"""

from __future__ import annotations

import secrets
import struct
from collections.abc import Iterator
from io import BytesIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from otokura.shared.errors import IntegrityError
from otokura.shared.segments import (
    FIRST_BYTES,
    HEADER_BYTES,
    REST_BYTES,
    SEGMENT_BYTES,
    TAG_BYTES,
    Cover,
    ciphertext_size,
    plaintext_size,
    segment_count,
)

__all__ = [
    "KEY_BYTES",
    "Buffer",
    "Decryptor",
    "Encryptor",
    "RangeOpener",
    "ciphertext_size",
    "decrypt",
    "encrypt",
    "plaintext_size",
]

KEY_BYTES = 32
MAX_SEGMENTS = 2**32

_SALT_BYTES = 32
_PREFIX_BYTES = 7
_COUNTER = struct.Struct(">IB")

Buffer = bytes | bytearray | memoryview


class _Output:
    """Bytes of a known size, filled from the front and handed over uncopied: copying costs more than AES."""

    __slots__ = ("_at", "_file", "_view")

    def __init__(self, size: int) -> None:
        self._file = BytesIO(bytes(size))  # holds these bytes alone, so it lends them for writing
        self._view = self._file.getbuffer()
        self._at = 0

    def take(self, size: int) -> memoryview:
        """The next `size` bytes, to be written to."""
        start, self._at = self._at, self._at + size
        return self._view[start : self._at]

    def value(self) -> bytes:
        self._view.release()
        return self._file.getvalue()


class _Segments:
    """AES-GCM under one message's derived key; counts the segments into the nonces."""

    __slots__ = ("_aead", "_nonce", "index")

    def __init__(self, key: bytes, associated_data: bytes, header: Buffer) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"the key must have {KEY_BYTES} bytes")
        if len(header) != HEADER_BYTES or header[0] != HEADER_BYTES:
            raise IntegrityError("The stored object does not begin with the header of an encrypted message.")
        salt = bytes(header[1 : 1 + _SALT_BYTES])
        self._aead = AESGCM(HKDF(SHA256(), KEY_BYTES, salt, associated_data).derive(key))
        self._nonce = bytearray(header[1 + _SALT_BYTES :]) + bytes(_COUNTER.size)
        self.index = 0

    def seal(self, plaintext: Buffer, out: _Output, *, last: bool = False) -> None:
        room = out.take(len(plaintext) + TAG_BYTES)
        self._aead.encrypt_into(self._next_nonce(last), plaintext, None, room)

    def open(self, ciphertext: Buffer, out: _Output, *, last: bool = False) -> None:
        room = out.take(len(ciphertext) - TAG_BYTES)
        try:
            self._aead.decrypt_into(self._next_nonce(last), ciphertext, None, room)
        except InvalidTag as error:
            raise IntegrityError(
                f"Segment {self.index - 1} of the stored object is not authentic."
            ) from error

    def _next_nonce(self, last: bool) -> bytearray:
        if self.index >= MAX_SEGMENTS:
            raise ValueError("the message is longer than 2^32 segments")
        _COUNTER.pack_into(self._nonce, _PREFIX_BYTES, self.index, last)
        self.index += 1
        return self._nonce


class _Pieces:
    """Cuts a stream into segments; one leaves only when a byte follows it, for it may be the last."""

    __slots__ = ("_capacity", "_done", "_held", "_rest")

    def __init__(self, first: int, rest: int) -> None:
        self._held = bytearray()
        self._capacity = first
        self._rest = rest
        self._done = False

    @property
    def held(self) -> int:
        return len(self._held)

    def count(self, more: int) -> tuple[int, int]:
        """How many segments `feed` gives for `more` bytes, and how many bytes they have together."""
        over = len(self._held) + more - self._capacity
        segments = -(-over // self._rest) if over > 0 else 0
        return segments, self._capacity + (segments - 1) * self._rest if segments else 0

    def feed(self, data: memoryview) -> Iterator[Buffer]:
        """The segments known not to be the last; without copying those that lie whole within `data`."""
        position = 0
        if self._held and len(self._held) + len(data) > self._capacity:
            position = self._capacity - len(self._held)
            self._held += data[:position]
            full, self._held = self._held, bytearray()
            yield full
            self._capacity = self._rest
        while len(data) - position > self._capacity:
            end = position + self._capacity
            yield data[position:end]
            position = end
            self._capacity = self._rest
        self._held += data[position:]

    def last(self) -> bytearray:
        """What is left, which is the last segment."""
        self.check()
        self._done = True
        return self._held

    def check(self) -> None:
        if self._done:
            raise ValueError("the message is finished")


class Encryptor:
    """Encrypts one message of any length with flat memory.

    The ciphertext is everything that `update` and `finalize` return, in order.

    Args:
        key: 32 bytes, for this message's kind (see `otokura.shared.keys.derive`).
        associated_data: what the ciphertext is bound to (see `otokura.shared.keys.associated_data`).
    """

    def __init__(self, key: bytes, associated_data: bytes) -> None:
        self._header = bytes((HEADER_BYTES,)) + secrets.token_bytes(_SALT_BYTES + _PREFIX_BYTES)
        self._segments = _Segments(key, associated_data, self._header)
        self._pieces = _Pieces(FIRST_BYTES, REST_BYTES)

    def update(self, data: Buffer) -> bytes:
        """Takes plaintext; returns the ciphertext that is complete, possibly empty."""
        return self._seal(data, last=False)

    def finalize(self, data: Buffer = b"") -> bytes:
        """Takes the last plaintext; returns the rest of the ciphertext, with the last segment marked."""
        return self._seal(data, last=True)

    def _seal(self, data: Buffer, *, last: bool) -> bytes:
        self._pieces.check()
        view = memoryview(data)
        segments, size = self._pieces.count(len(view))
        if last:
            segments, size = segments + 1, self._pieces.held + len(view)
        out = _Output(len(self._header) + size + TAG_BYTES * segments)
        out.take(len(self._header))[:] = self._header
        self._header = b""
        for piece in self._pieces.feed(view):
            self._segments.seal(piece, out)
        if last:
            self._segments.seal(self._pieces.last(), out, last=True)
        return out.value()


class Decryptor:
    """Opens one message of any length with flat memory; releases no byte that is not authenticated.

    What `update` returns is authentic but may be cut short: only after `finalize` has returned is the message
    known to be whole.
    """

    def __init__(self, key: bytes, associated_data: bytes) -> None:
        self._key = key
        self._associated_data = associated_data
        self._header = bytearray()
        self._segments: _Segments | None = None
        self._pieces = _Pieces(SEGMENT_BYTES - HEADER_BYTES, SEGMENT_BYTES)

    def update(self, data: Buffer) -> bytes:
        """Takes ciphertext; returns the plaintext of the segments that are complete.

        Raises:
            IntegrityError: the ciphertext is not what was encrypted under this key and associated data.
        """
        return self._open(data, last=False)

    def finalize(self, data: Buffer = b"") -> bytes:
        """Takes the last ciphertext; returns the rest of the plaintext.

        Raises:
            IntegrityError: the message was cut short, or is not authentic.
        """
        return self._open(data, last=True)

    def _open(self, data: Buffer, *, last: bool) -> bytes:
        self._pieces.check()
        view = memoryview(data)
        if self._segments is None:
            missing = HEADER_BYTES - len(self._header)
            self._header += view[:missing]
            view = view[missing:]
            if len(self._header) < HEADER_BYTES and not last:
                return b""
            self._segments = _Segments(self._key, self._associated_data, self._header)
        segments, size = self._pieces.count(len(view))
        if last:
            segments, before, size = segments + 1, size, self._pieces.held + len(view)
            if size - before < TAG_BYTES:
                raise IntegrityError("The stored object was cut short.")
        out = _Output(size - TAG_BYTES * segments)
        for piece in self._pieces.feed(view):
            self._segments.open(piece, out)
        if last:
            self._segments.open(self._pieces.last(), out, last=True)
        return out.value()


class RangeOpener:
    """Opens single segments of a message whose length is known from a trusted place (the manifest).

    `header` is the first 40 bytes of the ciphertext; `plaintext_bytes`, the true length, decides which
    segment must carry the mark of the last.
    """

    def __init__(self, key: bytes, associated_data: bytes, header: Buffer, plaintext_bytes: int) -> None:
        self._segments = _Segments(key, associated_data, header)
        self._last = segment_count(plaintext_bytes) - 1

    def open(self, run: Cover, ciphertext: Buffer) -> list[bytes]:
        """The plaintexts of a run's segments, from the ciphertext of `run`."""
        if len(ciphertext) != run.length:
            raise IntegrityError("The stored object is shorter than its manifest says.")
        view = memoryview(ciphertext)
        opened: list[bytes] = []
        position = 0
        self._segments.index = run.first
        for index in range(run.first, run.stop):
            end = min(position + SEGMENT_BYTES - (0 if index else HEADER_BYTES), len(view))
            piece = _Output(end - position - TAG_BYTES)
            self._segments.open(view[position:end], piece, last=index == self._last)
            opened.append(piece.value())
            position = end
        return opened


def encrypt(key: bytes, plaintext: Buffer, associated_data: bytes) -> bytes:
    """Encrypts a message that fits in memory."""
    return Encryptor(key, associated_data).finalize(plaintext)


def decrypt(key: bytes, ciphertext: Buffer, associated_data: bytes) -> bytes:
    """Opens a message that fits in memory.

    Raises:
        IntegrityError: it is not what was encrypted under this key and associated data.
    """
    return Decryptor(key, associated_data).finalize(ciphertext)
