"""Streams of unknown length to and from an S3 store: whole, in bounded memory, or not there at all."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable

import psutil
import pytest

import servers
from otokura.shared.errors import NotFound, PreconditionFailed
from otokura.shared.multipart import PART_BYTES
from otokura.shared.objects import ObjectStore

pytestmark = pytest.mark.s3


async def _chunks(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


@pytest.mark.parametrize("size", [0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES + 17])
async def test_a_stream_of_unknown_length_is_stored_whole(store: ObjectStore, bucket: str, size: int) -> None:
    data = os.urandom(size)
    info = await store.put_stream(bucket, "streamed", _chunks(data, 1_000_003))
    assert info.size == size
    assert info.etag == (await store.stat(bucket, "streamed")).etag
    digest = hashlib.sha256()
    async for block in store.stream(bucket, "streamed"):
        digest.update(block)
    assert digest.digest() == hashlib.sha256(data).digest()


async def test_a_stream_can_be_read_from_the_middle(store: ObjectStore, bucket: str) -> None:
    data = os.urandom(3 * 1024 * 1024 + 5)
    await store.put(bucket, "long", data)
    blocks = [block async for block in store.stream(bucket, "long", offset=1_000_000, length=1_500_000)]
    assert b"".join(blocks) == data[1_000_000:2_500_000]


async def test_a_stream_of_an_object_that_is_replaced_ends_in_an_error(
    store: ObjectStore, bucket: str
) -> None:
    await store.put(bucket, "changing", bytes(3 * 1024 * 1024))
    stream = aiter(store.stream(bucket, "changing"))
    await anext(stream)
    await store.put(bucket, "changing", bytes(range(256)) * 3 * 4096)
    with pytest.raises(PreconditionFailed):
        await anext(stream)


async def test_a_stream_that_fails_leaves_no_object(
    store: ObjectStore, bucket: str, object_store: servers.ObjectStoreSettings
) -> None:
    async def broken() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield bytes(PART_BYTES)
        raise ConnectionResetError("the vendor went away")

    with pytest.raises(ConnectionResetError):
        await store.put_stream(bucket, "broken", broken())
    with pytest.raises(NotFound):
        await store.stat(bucket, "broken")
    assert _uploads(object_store, bucket) == []


async def test_a_stream_that_is_cancelled_leaves_no_object(
    store: ObjectStore, bucket: str, object_store: servers.ObjectStoreSettings
) -> None:
    sent = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield bytes(PART_BYTES)
        sent.set()
        await asyncio.Event().wait()
        yield b""

    task = asyncio.create_task(store.put_stream(bucket, "cancelled", endless()))
    await sent.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert _uploads(object_store, bucket) == []


def _uploads(settings: servers.ObjectStoreSettings, bucket: str) -> list[str | None]:
    client = servers.s3_client(settings)
    return [upload.object_name for upload in client._list_multipart_uploads(bucket).uploads]


async def test_a_large_stream_takes_bounded_memory(store: ObjectStore, bucket: str) -> None:
    """256 MB go up and come down again while the process grows by less than 64 MB."""
    piece = os.urandom(1024 * 1024)
    process = psutil.Process()
    await store.put_stream(bucket, "warm", _repeat(piece, 32, lambda: None))
    before = process.memory_info().rss
    peak = before

    def measure() -> None:
        nonlocal peak
        peak = max(peak, process.memory_info().rss)

    info = await store.put_stream(bucket, "large", _repeat(piece, 256, measure))
    assert info.size == 256 * len(piece)
    async for block in store.stream(bucket, "large"):
        assert block == piece
        measure()
    assert peak - before < 64 * 1024 * 1024


async def _repeat(piece: bytes, times: int, measure: Callable[[], None]) -> AsyncIterator[bytes]:
    for _ in range(times):
        measure()
        yield piece
