"""Whatever is done to a sealed message, it is refused: no byte comes out that was not sealed."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otokura.shared import cipher
from otokura.shared.cipher import Decryptor, RangeOpener
from otokura.shared.errors import IntegrityError
from otokura.shared.segments import FIRST_BYTES, HEADER_BYTES, REST_BYTES, SEGMENT_BYTES, cover

KEY = bytes(range(32))
BINDING = b"tenant and call"
PLAINTEXT = os.urandom(FIRST_BYTES + 2 * REST_BYTES + 777)
SEALED = cipher.encrypt(KEY, PLAINTEXT, BINDING)
SEGMENTS = [SEALED[start : start + SEGMENT_BYTES] for start in range(0, len(SEALED), SEGMENT_BYTES)]


def refused(ciphertext: bytes, key: bytes = KEY, binding: bytes = BINDING) -> None:
    """It is refused, and what came out before is the beginning of what was sealed."""
    released = bytearray()
    with pytest.raises(IntegrityError):
        release(Decryptor(key, binding), ciphertext, released)
    assert PLAINTEXT.startswith(released)
    assert len(released) < len(PLAINTEXT)


def release(decryptor: Decryptor, ciphertext: bytes, released: bytearray) -> None:
    for start in range(0, len(ciphertext), 10_000):
        released += decryptor.update(ciphertext[start : start + 10_000])
    released += decryptor.finalize()


def test_it_opens_untouched() -> None:
    assert cipher.decrypt(KEY, SEALED, BINDING) == PLAINTEXT


@pytest.mark.guarantee("V2")
def test_every_byte_of_a_short_message_is_guarded() -> None:
    sealed = cipher.encrypt(KEY, b"a short message", BINDING)
    for position in range(len(sealed)):
        for bit in range(8):
            changed = bytearray(sealed)
            changed[position] ^= 1 << bit
            with pytest.raises(IntegrityError):
                cipher.decrypt(KEY, changed, BINDING)


@pytest.mark.guarantee("V2")
@settings(deadline=None, max_examples=100)
@given(position=st.integers(0, len(SEALED) - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_anywhere(position: int, bit: int) -> None:
    changed = bytearray(SEALED)
    changed[position] ^= 1 << bit
    refused(bytes(changed))


@pytest.mark.guarantee("V2")
@settings(deadline=None, max_examples=60)
@given(length=st.one_of(st.integers(0, len(SEALED) - 1), st.sampled_from([0, 1, 39, 40, 55, 56])))
def test_a_cut(length: int) -> None:
    refused(SEALED[:length])


@pytest.mark.guarantee("V2")
def test_a_cut_anywhere_near_the_border_of_segments_opened_whole() -> None:
    for border in (0, HEADER_BYTES, SEGMENT_BYTES, 2 * SEGMENT_BYTES, len(SEALED)):
        for length in range(max(0, border - 20), min(border + 20, len(SEALED))):
            with pytest.raises(IntegrityError):
                cipher.decrypt(KEY, SEALED[:length], BINDING)


@pytest.mark.guarantee("V2")
@pytest.mark.parametrize("segments", [1, 2, 3])
def test_a_cut_between_segments(segments: int) -> None:
    refused(b"".join(SEGMENTS[:segments]))


@pytest.mark.guarantee("V2")
@pytest.mark.parametrize("more", [b"\0", b"\0" * 16, os.urandom(SEGMENT_BYTES), SEGMENTS[-1], SEALED])
def test_something_appended(more: bytes) -> None:
    refused(SEALED + more)


@pytest.mark.guarantee("V2")
@pytest.mark.parametrize(
    "order", [(0, 2, 1, 3), (0, 1, 1, 3), (0, 1, 3), (0, 3, 2, 1), (1, 0, 2, 3), (0, 1, 2, 2, 3), (1, 2, 3)]
)
def test_segments_swapped_repeated_or_dropped(order: tuple[int, ...]) -> None:
    refused(b"".join(SEGMENTS[index] for index in order))


@pytest.mark.guarantee("V2")
def test_a_segment_of_another_message_under_the_same_key() -> None:
    other = cipher.encrypt(KEY, PLAINTEXT, BINDING)
    refused(SEALED[:SEGMENT_BYTES] + other[SEGMENT_BYTES : 2 * SEGMENT_BYTES] + SEALED[2 * SEGMENT_BYTES :])
    refused(other[:HEADER_BYTES] + SEALED[HEADER_BYTES:])


@pytest.mark.guarantee("V2")
@given(binding=st.binary(max_size=64).filter(lambda other: other != BINDING))
def test_another_binding(binding: bytes) -> None:
    refused(SEALED, binding=binding)


@pytest.mark.guarantee("V2")
def test_another_key() -> None:
    refused(SEALED, key=os.urandom(32))


@pytest.mark.guarantee("V2")
@pytest.mark.parametrize("first_byte", [0x00, 0x18, 0x27, 0x29, 0xFF])
def test_a_header_of_another_kind(first_byte: int) -> None:
    refused(bytes((first_byte,)) + SEALED[1:])


@pytest.mark.guarantee("V2")
def test_a_range_with_a_flipped_bit_or_from_another_place() -> None:
    size = len(PLAINTEXT)
    opener = RangeOpener(KEY, BINDING, SEALED[:HEADER_BYTES], size)
    first, second = cover(FIRST_BYTES, FIRST_BYTES + 1, size), cover(FIRST_BYTES + REST_BYTES, size, size)
    right = SEALED[first.offset : first.offset + first.length]
    assert b"".join(opener.open(first, right)) == PLAINTEXT[FIRST_BYTES : FIRST_BYTES + REST_BYTES]
    flipped = bytearray(right)
    flipped[1000] ^= 1
    elsewhere = SEALED[second.offset : second.offset + first.length]
    for wrong in (bytes(flipped), elsewhere, right[:-1], right + b"\0", b""):
        with pytest.raises(IntegrityError):
            opener.open(first, wrong)


def test_an_error_shows_nothing_of_the_message() -> None:
    with pytest.raises(IntegrityError) as refusal:
        cipher.decrypt(KEY, SEALED[:-1], BINDING)
    words = refusal.value.detail
    assert "not authentic" in words
    assert KEY.hex() not in words
    assert repr(PLAINTEXT[:8]) not in words
