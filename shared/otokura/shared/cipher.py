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
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from otokura.shared.errors import IntegrityError

KEY_BYTES = 32
SEGMENT_BYTES = 64 * 1024
TAG_BYTES = 16
HEADER_BYTES = 40
FIRST_BYTES = SEGMENT_BYTES - HEADER_BYTES - TAG_BYTES
"""Plaintext bytes in segment 0."""
REST_BYTES = SEGMENT_BYTES - TAG_BYTES
"""Plaintext bytes in every other segment."""
MAX_SEGMENTS = 2**32

_SALT_BYTES = 32
_PREFIX_BYTES = 7
_COUNTER = struct.Struct(">IB")

Buffer = bytes | bytearray | memoryview


def ciphertext_size(plaintext_bytes: int) -> int:
    """Bytes that a message of `plaintext_bytes` takes when encrypted."""
    return HEADER_BYTES + plaintext_bytes + TAG_BYTES * segment_count(plaintext_bytes)


def plaintext_size(ciphertext_bytes: int) -> int:
    """Bytes of plaintext in a ciphertext of `ciphertext_bytes`.

    Raises:
        IntegrityError: no message has a ciphertext of this size.
    """
    segments = -(-ciphertext_bytes // SEGMENT_BYTES)
    size = ciphertext_bytes - HEADER_BYTES - TAG_BYTES * segments
    if size < 0 or ciphertext_size(size) != ciphertext_bytes:
        raise IntegrityError("The stored object has a size that no encrypted message has.")
    return size


def segment_count(plaintext_bytes: int) -> int:
    """Segments of a message: at least one, also when it is empty."""
    return 1 if plaintext_bytes <= FIRST_BYTES else 1 + -(-(plaintext_bytes - FIRST_BYTES) // REST_BYTES)


def segment_of(offset: int) -> int:
    """The segment that holds the plaintext byte at `offset`."""
    return 0 if offset < FIRST_BYTES else 1 + (offset - FIRST_BYTES) // REST_BYTES


def segment_start(index: int) -> int:
    """The plaintext offset at which a segment begins."""
    return 0 if index == 0 else FIRST_BYTES + (index - 1) * REST_BYTES


@dataclass(frozen=True, slots=True)
class Cover:
    """The run of segments that covers a range of plaintext, and where it lies in the ciphertext.

    Segments [first, stop) lie at [offset, offset + length) of the ciphertext; the range begins `skip` bytes
    into the plaintext of the first. The header is never part of a run.
    """

    first: int
    stop: int
    offset: int
    length: int
    skip: int


def cover(start: int, stop: int, plaintext_bytes: int) -> Cover:
    """The segments to fetch for plaintext [start, stop) of a message of `plaintext_bytes`.

    Raises:
        ValueError: the range is not within the message or is empty.
    """
    if not 0 <= start < stop <= plaintext_bytes:
        raise ValueError(f"[{start}, {stop}) is not a range of {plaintext_bytes} bytes")
    first, last = segment_of(start), segment_of(stop - 1)
    offset = first * SEGMENT_BYTES if first else HEADER_BYTES
    end = min((last + 1) * SEGMENT_BYTES, ciphertext_size(plaintext_bytes))
    return Cover(first, last + 1, offset, end - offset, start - segment_start(first))


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

    def seal(self, plaintext: Buffer, *, last: bool = False) -> bytes:
        return self._aead.encrypt(self._next_nonce(last), plaintext, None)

    def open(self, ciphertext: Buffer, *, last: bool = False) -> bytes:
        nonce = self._next_nonce(last)
        if len(ciphertext) < TAG_BYTES:
            raise IntegrityError("The stored object was cut short.")
        try:
            return self._aead.decrypt(nonce, ciphertext, None)
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

    __slots__ = ("_capacity", "_rest", "held")

    def __init__(self, first: int, rest: int) -> None:
        self.held = bytearray()
        self._capacity = first
        self._rest = rest

    def feed(self, data: memoryview) -> Iterator[Buffer]:
        """The segments known not to be the last; without copying those that lie whole within `data`."""
        position = 0
        if self.held and len(self.held) + len(data) > self._capacity:
            position = self._capacity - len(self.held)
            self.held += data[:position]
            full, self.held = self.held, bytearray()
            yield full
            self._capacity = self._rest
        while len(data) - position > self._capacity:
            end = position + self._capacity
            yield data[position:end]
            position = end
            self._capacity = self._rest
        self.held += data[position:]


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
        self._done = False

    def update(self, data: Buffer) -> bytes:
        """Takes plaintext; returns the ciphertext that is complete, possibly empty."""
        if self._done:
            raise ValueError("the message is finished")
        out = [self._take_header()]
        out += [self._segments.seal(piece) for piece in self._pieces.feed(memoryview(data))]
        return b"".join(out)

    def finalize(self) -> bytes:
        """The rest of the ciphertext, with the last segment marked."""
        if self._done:
            raise ValueError("the message is finished")
        self._done = True
        return self._take_header() + self._segments.seal(self._pieces.held, last=True)

    def _take_header(self) -> bytes:
        header, self._header = self._header, b""
        return header


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
        self._done = False

    def update(self, data: Buffer) -> bytes:
        """Takes ciphertext; returns the plaintext of the segments that are complete.

        Raises:
            IntegrityError: the ciphertext is not what was encrypted under this key and associated data.
        """
        if self._done:
            raise ValueError("the message is finished")
        view = memoryview(data)
        if self._segments is None:
            missing = HEADER_BYTES - len(self._header)
            self._header += view[:missing]
            view = view[missing:]
            if len(self._header) < HEADER_BYTES:
                return b""
            self._segments = _Segments(self._key, self._associated_data, self._header)
        return b"".join([self._segments.open(piece) for piece in self._pieces.feed(view)])

    def finalize(self) -> bytes:
        """The plaintext of the last segment.

        Raises:
            IntegrityError: the message was cut short, or is not authentic.
        """
        if self._done:
            raise ValueError("the message is finished")
        self._done = True
        if self._segments is None:
            raise IntegrityError("The stored object is shorter than the header of an encrypted message.")
        return self._segments.open(self._pieces.held, last=True)


class RangeOpener:
    """Opens single segments of a message whose length is known from a trusted place (the manifest).

    Args:
        key: the key of the message.
        associated_data: what the message is bound to.
        header: the first 40 bytes of the ciphertext.
        plaintext_bytes: the true length; it decides which segment must carry the mark of the last.

    Raises:
        IntegrityError: the header is not one.
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
            opened.append(self._segments.open(view[position:end], last=index == self._last))
            position = end
        return opened


def encrypt(key: bytes, plaintext: Buffer, associated_data: bytes) -> bytes:
    """Encrypts a message that fits in memory."""
    encryptor = Encryptor(key, associated_data)
    return encryptor.update(plaintext) + encryptor.finalize()


def decrypt(key: bytes, ciphertext: Buffer, associated_data: bytes) -> bytes:
    """Opens a message that fits in memory.

    Raises:
        IntegrityError: it is not what was encrypted under this key and associated data.
    """
    decryptor = Decryptor(key, associated_data)
    return decryptor.update(ciphertext) + decryptor.finalize()
