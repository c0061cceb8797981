"""Messages in Tink's streaming format, against Google's own implementation of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otokura.shared import cipher
from otokura.shared.cipher import Decryptor, Encryptor, RangeOpener, ciphertext_size, plaintext_size
from otokura.shared.errors import IntegrityError
from otokura.shared.segments import FIRST_BYTES, HEADER_BYTES, REST_BYTES, SEGMENT_BYTES, cover
from tink_peer import TinkError, TinkStream

KEY = bytes(range(32))
BINDING = b"bound to this"
TINK = TinkStream(KEY)
EDGES = [
    *(0, 1, 2, 15, 16, 17, 1000),
    *(FIRST_BYTES - 1, FIRST_BYTES, FIRST_BYTES + 1),
    *(FIRST_BYTES + REST_BYTES - 1, FIRST_BYTES + REST_BYTES, FIRST_BYTES + REST_BYTES + 1),
    *(FIRST_BYTES + 3 * REST_BYTES, FIRST_BYTES + 3 * REST_BYTES + 1, 1_000_000),
]
SEED = os.urandom(1_100_000)
sizes = st.one_of(st.sampled_from(EDGES), st.integers(0, 4 * SEGMENT_BYTES))


@pytest.mark.guarantee("V1")
@pytest.mark.parametrize("size", EDGES)
def test_tink_opens_what_we_seal_and_we_open_what_tink_seals(size: int) -> None:
    plaintext = SEED[:size]
    ours = cipher.encrypt(KEY, plaintext, BINDING)
    theirs = TINK.encrypt(plaintext, BINDING)
    assert len(ours) == len(theirs) == ciphertext_size(size)
    assert TINK.decrypt(ours, BINDING) == plaintext
    assert cipher.decrypt(KEY, theirs, BINDING) == plaintext


@pytest.mark.guarantee("V1")
@settings(deadline=None, max_examples=60)
@given(start=st.integers(0, 1000), size=sizes, binding=st.binary(max_size=100))
def test_any_message_under_any_binding_passes_both_ways(start: int, size: int, binding: bytes) -> None:
    plaintext = SEED[start : start + size]
    assert TINK.decrypt(cipher.encrypt(KEY, plaintext, binding), binding) == plaintext
    assert cipher.decrypt(KEY, TINK.encrypt(plaintext, binding), binding) == plaintext


@settings(deadline=None, max_examples=60)
@given(size=sizes, cuts=st.lists(st.integers(0, 4 * SEGMENT_BYTES), max_size=12))
def test_it_does_not_matter_how_a_message_is_cut_into_pieces(size: int, cuts: list[int]) -> None:
    plaintext = SEED[:size]
    encryptor, decryptor = Encryptor(KEY, BINDING), Decryptor(KEY, BINDING)
    sealed = [encryptor.update(piece) for piece in pieces(plaintext, cuts)] + [encryptor.finalize()]
    ciphertext = b"".join(sealed)
    assert len(ciphertext) == ciphertext_size(size)
    opened = [decryptor.update(piece) for piece in pieces(ciphertext, cuts)] + [decryptor.finalize()]
    assert b"".join(opened) == plaintext
    *some, final = pieces(plaintext, cuts)
    encryptor = Encryptor(KEY, BINDING)
    ciphertext = b"".join([encryptor.update(piece) for piece in some] + [encryptor.finalize(final)])
    assert TINK.decrypt(ciphertext, BINDING) == plaintext


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """The data cut at those places, in order, with empty pieces where two are the same."""
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    return [data[start:stop] for start, stop in pairwise(places)]


def test_a_byte_at_a_time() -> None:
    encryptor, decryptor = Encryptor(KEY, BINDING), Decryptor(KEY, BINDING)
    plaintext = SEED[: FIRST_BYTES + 10]
    ciphertext = b"".join(encryptor.update(plaintext[i : i + 1]) for i in range(len(plaintext)))
    ciphertext += encryptor.finalize()
    opened = b"".join(decryptor.update(ciphertext[i : i + 1]) for i in range(len(ciphertext)))
    assert opened + decryptor.finalize() == plaintext


@settings(deadline=None, max_examples=100)
@given(data=st.data(), size=sizes.filter(bool))
def test_a_range_is_opened_from_its_covering_segments_alone(data: st.DataObject, size: int) -> None:
    start = data.draw(st.integers(0, size - 1))
    stop = data.draw(st.integers(start + 1, size))
    plaintext = SEED[:size]
    ciphertext = cipher.encrypt(KEY, plaintext, BINDING)
    run = cover(start, stop, size)
    opener = RangeOpener(KEY, BINDING, ciphertext[:HEADER_BYTES], size)
    opened = b"".join(opener.open(run, ciphertext[run.offset : run.offset + run.length]))
    assert opened[run.skip : run.skip + stop - start] == plaintext[start:stop]
    assert run.length <= stop - start + 2 * SEGMENT_BYTES


def test_the_length_decides_which_segment_is_the_last() -> None:
    """A message cut at a segment border opens nowhere: its last segment does not say that it is."""
    size = FIRST_BYTES + 2 * REST_BYTES
    ciphertext = cipher.encrypt(KEY, SEED[:size], BINDING)[: 2 * SEGMENT_BYTES]
    shorter = FIRST_BYTES + REST_BYTES
    run = cover(shorter - 1, shorter, shorter)
    opener = RangeOpener(KEY, BINDING, ciphertext[:HEADER_BYTES], shorter)
    with pytest.raises(IntegrityError):
        opener.open(run, ciphertext[run.offset : run.offset + run.length])


@given(size=st.integers(0, 2**45))
def test_sizes_are_each_others_inverse(size: int) -> None:
    assert plaintext_size(ciphertext_size(size)) == size


@pytest.mark.parametrize("size", [0, 1, 39, 40, 55, SEGMENT_BYTES + 1, SEGMENT_BYTES + 16])
def test_a_size_that_no_message_has_is_refused(size: int) -> None:
    with pytest.raises(IntegrityError):
        plaintext_size(size)


@pytest.mark.parametrize(("start", "stop"), [(-1, 1), (0, 0), (5, 4), (0, 11), (10, 11)])
def test_a_range_outside_the_message_is_refused(start: int, stop: int) -> None:
    with pytest.raises(ValueError, match="not a range"):
        cover(start, stop, 10)


def test_two_seals_of_one_message_share_nothing() -> None:
    assert cipher.encrypt(KEY, b"same", BINDING)[1:] != cipher.encrypt(KEY, b"same", BINDING)[1:]
    headers = {cipher.encrypt(KEY, b"", b"")[:HEADER_BYTES] for _ in range(100)}
    assert len(headers) == 100


def test_a_finished_message_takes_nothing_more() -> None:
    encryptor = Encryptor(KEY, BINDING)
    ciphertext = encryptor.finalize()
    decryptor = Decryptor(KEY, BINDING)
    decryptor.update(ciphertext)
    decryptor.finalize()
    calls: list[Callable[[], bytes]] = [
        lambda: encryptor.update(b"x"),
        encryptor.finalize,
        lambda: decryptor.update(b"x"),
        decryptor.finalize,
    ]
    for call in calls:
        with pytest.raises(ValueError, match="finished"):
            call()


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Encryptor(bytes(16), BINDING)


def test_the_peer_refuses_what_it_should() -> None:
    """The comparison means something: Tink does refuse another binding."""
    with pytest.raises(TinkError):
        TINK.decrypt(cipher.encrypt(KEY, b"text", BINDING), b"another")
