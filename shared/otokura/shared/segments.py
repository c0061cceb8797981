"""Where the bytes of a message lie in its ciphertext: the arithmetic of `otokura.shared.cipher`."""

from __future__ import annotations

from dataclasses import dataclass

from otokura.shared.errors import IntegrityError

SEGMENT_BYTES = 64 * 1024
TAG_BYTES = 16
HEADER_BYTES = 40
FIRST_BYTES = SEGMENT_BYTES - HEADER_BYTES - TAG_BYTES
"""Plaintext bytes in segment 0."""
REST_BYTES = SEGMENT_BYTES - TAG_BYTES
"""Plaintext bytes in every other segment."""


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
