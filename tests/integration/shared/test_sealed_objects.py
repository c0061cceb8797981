"""Sealed objects in a real store: streamed in, read by range, and never taken for another."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import uuid4

import psutil
import pytest

import servers
from otokura.shared.cipher import ciphertext_size, decrypt
from otokura.shared.errors import IntegrityError, NotFound, RangeNotSatisfiable
from otokura.shared.events import Channel, ChannelRole, Direction, Notice
from otokura.shared.keys import Kind, associated_data, commitment, derive, new_dek
from otokura.shared.manifest import Manifest, StoredObject
from otokura.shared.objects import ObjectRange, ObjectStore
from otokura.shared.sealed_objects import SealedInfo, SealedObject, open_recording, seal
from otokura.shared.segments import FIRST_BYTES, HEADER_BYTES, REST_BYTES, SEGMENT_BYTES

pytestmark = pytest.mark.s3

TENANT, CALL, DEK = uuid4(), uuid4(), new_dek()
KEY = derive(DEK, Kind.RECORDING, CALL)
BINDING = associated_data(TENANT, CALL, Kind.RECORDING)
PLAINTEXT = os.urandom(FIRST_BYTES + 40 * REST_BYTES + 1234)


class CountingStore(ObjectStore):
    """A real store that remembers which ranges were fetched."""

    fetched: list[tuple[int, int | None]]

    async def get_range(
        self,
        bucket: str,
        name: str,
        offset: int,
        length: int | None = None,
        *,
        version_id: str | None = None,
        if_match: str | None = None,
    ) -> ObjectRange:
        self.fetched.append((offset, length))
        return await super().get_range(bucket, name, offset, length, version_id=version_id, if_match=if_match)


@pytest.fixture
async def store(object_store: servers.ObjectStoreSettings) -> AsyncIterator[CountingStore]:
    settings = object_store
    store = CountingStore(settings.endpoint, settings.access_key, settings.secret_key, settings.region)
    store.fetched = []
    yield store
    await store.close()


async def chunks(data: bytes, size: int = 100_000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def sealed(
    store: ObjectStore, bucket: str, name: str = "recording", data: bytes = PLAINTEXT
) -> SealedInfo:
    return await seal(store, bucket, name, chunks(data), key=KEY, associated_data=BINDING)


def opened(
    store: ObjectStore, bucket: str, name: str = "recording", size: int = len(PLAINTEXT)
) -> SealedObject:
    return SealedObject(store, bucket, name, key=KEY, associated_data=BINDING, plaintext_bytes=size)


async def read_whole(source: SealedObject) -> bytes:
    return b"".join([piece async for piece in source.stream()])


async def test_what_is_sealed_is_described_and_encrypted(store: ObjectStore, bucket: str) -> None:
    info = await sealed(store, bucket)
    assert info.plaintext_bytes == len(PLAINTEXT)
    assert info.plaintext_sha256 == hashlib.sha256(PLAINTEXT).hexdigest()
    stored = await store.get(bucket, "recording")
    assert len(stored) == ciphertext_size(len(PLAINTEXT))
    assert decrypt(KEY, stored, BINDING) == PLAINTEXT
    assert PLAINTEXT[:64] not in stored


@pytest.mark.parametrize("size", [0, 1, FIRST_BYTES, FIRST_BYTES + 1, FIRST_BYTES + REST_BYTES])
async def test_any_size_comes_back(store: ObjectStore, bucket: str, size: int) -> None:
    await sealed(store, bucket, data=PLAINTEXT[:size])
    source = opened(store, bucket, size=size)
    assert source.size == size
    assert b"".join([piece async for piece in source.stream()]) == PLAINTEXT[:size]
    assert await source.read(0, size + 10) == PLAINTEXT[:size]
    assert await source.read(size, 10) == b""


EDGE = FIRST_BYTES + 7 * REST_BYTES


@pytest.mark.guarantee("V5")
@pytest.mark.parametrize(
    ("start", "stop"),
    [
        (0, 1),
        (0, FIRST_BYTES),
        (FIRST_BYTES - 1, FIRST_BYTES + 1),
        (EDGE, EDGE + 1),
        (EDGE - 1, EDGE + REST_BYTES),
        (EDGE + 100, EDGE + 65_636),
        (len(PLAINTEXT) - 1, len(PLAINTEXT)),
        (0, len(PLAINTEXT)),
    ],
)
async def test_a_range_fetches_the_segments_that_cover_it(
    store: CountingStore, bucket: str, start: int, stop: int
) -> None:
    await sealed(store, bucket)
    source = opened(store, bucket)
    store.fetched.clear()
    assert await source.read(start, stop - start) == PLAINTEXT[start:stop]
    total = sum(length or 0 for _, length in store.fetched)
    assert total <= HEADER_BYTES + stop - start + 2 * SEGMENT_BYTES
    store.fetched.clear()
    assert b"".join([piece async for piece in source.stream(start, stop)]) == PLAINTEXT[start:stop]
    assert sum(length or 0 for _, length in store.fetched) <= stop - start + 2 * SEGMENT_BYTES
    assert (0, HEADER_BYTES) not in store.fetched, "the header is fetched once"


async def test_a_stream_that_is_left_fetches_no_further(store: CountingStore, bucket: str) -> None:
    await sealed(store, bucket)
    stream = opened(store, bucket).stream()
    store.fetched.clear()
    assert await anext(stream) == PLAINTEXT[:FIRST_BYTES]
    await stream.aclose()
    assert sum(length or 0 for _, length in store.fetched) < 6 * SEGMENT_BYTES


async def test_a_range_outside_is_not_satisfiable(store: ObjectStore, bucket: str) -> None:
    await sealed(store, bucket, data=b"0123456789")
    source = opened(store, bucket, size=10)
    for start, stop in ((-1, 5), (5, 11), (6, 5)):
        with pytest.raises(RangeNotSatisfiable):
            await anext(source.stream(start, stop))


async def test_many_readers_of_one_object(store: ObjectStore, bucket: str) -> None:
    await sealed(store, bucket)
    source = opened(store, bucket)
    places = [(number * 77_777) % (len(PLAINTEXT) - 1000) for number in range(40)]
    read = await asyncio.gather(*(source.read(place, 1000) for place in places))
    assert read == [PLAINTEXT[place : place + 1000] for place in places]


@pytest.mark.guarantee("V2")
async def test_an_object_that_was_changed_is_refused(store: ObjectStore, bucket: str) -> None:
    """A flipped bit, a cut, an addition, another object in its place: each is loud, wherever it is read."""
    await sealed(store, bucket)
    right = await store.get(bucket, "recording")
    flipped = bytearray(right)
    flipped[10 * SEGMENT_BYTES + 5] ^= 0x10
    swapped = right[:SEGMENT_BYTES] + right[2 * SEGMENT_BYTES : 3 * SEGMENT_BYTES]
    swapped += right[SEGMENT_BYTES : 2 * SEGMENT_BYTES] + right[3 * SEGMENT_BYTES :]
    for wrong in (
        bytes(flipped),
        swapped,
        right[:-1],
        right[: 5 * SEGMENT_BYTES],
        right + b"x",
        b"",
        b"x" * 20,
    ):
        await store.put(bucket, "recording", wrong)
        with pytest.raises(IntegrityError):
            await read_whole(opened(store, bucket))
    await store.put(bucket, "recording", bytes(flipped))
    assert await opened(store, bucket).read(0, 1000) == PLAINTEXT[:1000]
    with pytest.raises(IntegrityError):
        await opened(store, bucket).read(10 * SEGMENT_BYTES, 1)


@pytest.mark.guarantee("V2")
async def test_two_objects_swapped_are_both_refused(store: ObjectStore, bucket: str) -> None:
    """Of one size and one tenant, and each under its own call's key."""
    other_call, other_dek = uuid4(), new_dek()
    await sealed(store, bucket, "one")
    await seal(
        store,
        bucket,
        "two",
        chunks(PLAINTEXT[::-1]),
        key=derive(other_dek, Kind.RECORDING, other_call),
        associated_data=associated_data(TENANT, other_call, Kind.RECORDING),
    )
    one, two = await store.get(bucket, "one"), await store.get(bucket, "two")
    await store.put(bucket, "one", two)
    await store.put(bucket, "two", one)
    with pytest.raises(IntegrityError):
        await opened(store, bucket, "one").read(0, 10)
    with pytest.raises(IntegrityError):
        await SealedObject(
            store,
            bucket,
            "two",
            key=derive(other_dek, Kind.RECORDING, other_call),
            associated_data=associated_data(TENANT, other_call, Kind.RECORDING),
            plaintext_bytes=len(PLAINTEXT),
        ).read(0, 10)


@pytest.mark.guarantee("V2")
async def test_one_key_does_not_open_another_channel_or_sequence(store: ObjectStore, bucket: str) -> None:
    """Two segments of one call, under one key, are told apart by what they are bound to."""
    key = derive(DEK, Kind.SEGMENT, CALL)
    first, second = (associated_data(TENANT, CALL, Kind.SEGMENT, sequence=number) for number in (1, 2))
    await seal(store, bucket, "1", chunks(b"first"), key=key, associated_data=first)
    one = SealedObject(store, bucket, "1", key=key, associated_data=first, plaintext_bytes=5)
    assert await one.read(0, 5) == b"first"
    with pytest.raises(IntegrityError):
        await SealedObject(store, bucket, "1", key=key, associated_data=second, plaintext_bytes=5).read(0, 5)


def manifest(bucket: str, info: SealedInfo, key_commitment: str) -> Manifest:
    now = datetime.now(UTC)
    return Manifest(
        call_id=CALL,
        tenant_id=TENANT,
        external_id="x",
        origin="upload",
        direction=Direction.INBOUND,
        channels=[Channel(role=ChannelRole.MIXED)],
        sample_rate=8000,
        samples=1,
        duration_ms=1,
        gaps=[],
        notice=Notice(),
        purposes=[],
        started_at=now,
        ended_at=now,
        recording=StoredObject(
            bucket=bucket,
            name="recording",
            media_type="audio/flac",
            plaintext_bytes=info.plaintext_bytes,
            plaintext_sha256=info.plaintext_sha256,
        ),
        key_commitment=key_commitment,
    )


@pytest.mark.guarantee("V3")
async def test_another_key_is_refused_before_anything_is_fetched(store: CountingStore, bucket: str) -> None:
    info = await sealed(store, bucket)
    described = manifest(bucket, info, commitment(DEK, CALL))
    assert await open_recording(store, described, DEK).read(5, 10) == PLAINTEXT[5:15]
    store.fetched.clear()
    with pytest.raises(IntegrityError, match="commits"):
        open_recording(store, described, new_dek())
    assert store.fetched == []


async def test_an_absent_object_is_not_found(store: ObjectStore, bucket: str) -> None:
    with pytest.raises(NotFound):
        await opened(store, bucket, "nothing").read(0, 1)


@pytest.mark.guarantee("V6")
async def test_a_large_recording_takes_bounded_memory(store: ObjectStore, bucket: str) -> None:
    """128 MB are sealed and opened again while the process grows by less than 64 MB."""
    piece = os.urandom(1024 * 1024)
    process = psutil.Process()
    await sealed(store, bucket, "warm", piece * 20)
    before = peak = process.memory_info().rss

    async def many() -> AsyncIterator[bytes]:
        nonlocal peak
        for _ in range(128):
            peak = max(peak, process.memory_info().rss)
            yield piece

    info = await seal(store, bucket, "large", many(), key=KEY, associated_data=BINDING)
    digest = hashlib.sha256()
    async for block in opened(store, bucket, "large", info.plaintext_bytes).stream():
        digest.update(block)
        peak = max(peak, process.memory_info().rss)
    assert digest.hexdigest() == info.plaintext_sha256
    assert peak - before < 64 * 1024 * 1024
