"""What Otokura relies on in an S3 store, against the store that is configured."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from minio.commonconfig import COMPLIANCE, GOVERNANCE
from minio.error import S3Error
from minio.retention import Retention

import servers
from otokura.shared.errors import NotFound, PreconditionFailed, RangeNotSatisfiable, Unavailable
from otokura.shared.multipart import PART_BYTES
from otokura.shared.objects import NoObjectLock, ObjectStore, StoreRefused
from otokura.shared.range_client import RangeClient

from .conftest import open_store

pytestmark = pytest.mark.s3


async def test_an_object_comes_back_as_it_was_put(store: ObjectStore, bucket: str) -> None:
    data = os.urandom(100_000)
    put = await store.put(bucket, "a/b", data, content_type="audio/flac")
    assert await store.get(bucket, "a/b") == data
    found = await store.stat(bucket, "a/b")
    assert (found.name, found.size, found.etag) == ("a/b", len(data), put.etag)
    assert found.modified is not None


async def test_an_empty_object_is_an_object(store: ObjectStore, bucket: str) -> None:
    await store.put(bucket, "empty", b"")
    assert await store.get(bucket, "empty") == b""
    assert [block async for block in store.stream(bucket, "empty")] == []


@pytest.mark.parametrize(
    ("offset", "length"), [(0, 1), (0, 10), (3, 4), (9, 1), (9, 50), (0, 50), (4, None), (1, None)]
)
async def test_a_range_is_the_bytes_asked_for(
    store: ObjectStore, bucket: str, offset: int, length: int | None
) -> None:
    await store.put(bucket, "ten", b"0123456789")
    stop = None if length is None else offset + length
    part = await store.get_range(bucket, "ten", offset, length)
    assert part.data == b"0123456789"[offset:stop]
    assert part.total == 10
    assert await store.get(bucket, "ten", offset=offset, length=length) == part.data


async def test_a_range_after_the_end_is_refused(store: ObjectStore, bucket: str) -> None:
    await store.put(bucket, "ten", b"0123456789")
    with pytest.raises(RangeNotSatisfiable):
        await store.get_range(bucket, "ten", 10, 1)
    with pytest.raises(ValueError, match="not a range"):
        await store.get_range(bucket, "ten", 0, 0)


async def test_what_is_absent_is_not_found(store: ObjectStore, bucket: str) -> None:
    with pytest.raises(NotFound):
        await store.get(bucket, "nothing")
    with pytest.raises(NotFound):
        await store.stat(bucket, "nothing")
    with pytest.raises(NotFound):
        await store.get_range(bucket, "nothing", 0, 1)
    with pytest.raises(NotFound):
        await store.get("no-such-bucket-here", "nothing")


async def test_deleting_twice_is_no_error(store: ObjectStore, bucket: str) -> None:
    await store.put(bucket, "gone", b"x")
    await store.delete(bucket, "gone")
    await store.delete(bucket, "gone")
    with pytest.raises(NotFound):
        await store.get(bucket, "gone")


async def test_create_only_holds_against_a_second_writer(store: ObjectStore, bucket: str) -> None:
    await store.put(bucket, "once", b"first", if_none_match="*")
    with pytest.raises(PreconditionFailed):
        await store.put(bucket, "once", b"second", if_none_match="*")
    assert await store.get(bucket, "once") == b"first"


async def test_replace_only_what_was_seen(store: ObjectStore, bucket: str) -> None:
    first = await store.put(bucket, "checkpoint", b"1")
    second = await store.put(bucket, "checkpoint", b"2", if_match=first.etag)
    with pytest.raises(PreconditionFailed):
        await store.put(bucket, "checkpoint", b"stale", if_match=first.etag)
    assert await store.get(bucket, "checkpoint") == b"2"
    with pytest.raises(PreconditionFailed):
        await store.get_range(bucket, "checkpoint", 0, 1, if_match=first.etag)
    assert (await store.get_range(bucket, "checkpoint", 0, 1, if_match=second.etag)).data == b"2"


async def test_of_many_creators_one_wins(store: ObjectStore, bucket: str) -> None:
    async def create(number: int) -> bool:
        try:
            await store.put(bucket, "race", b"%d" % number, if_none_match="*")
        except PreconditionFailed:
            return False
        return True

    won = await asyncio.gather(*(create(number) for number in range(16)))
    assert sum(won) == 1
    assert await store.get(bucket, "race") == b"%d" % won.index(True)


async def test_names_are_listed_in_order_and_page_by_page(store: ObjectStore, bucket: str) -> None:
    names = [f"x/{number:04}" for number in range(1_050)]
    gate = asyncio.Semaphore(32)

    async def put(name: str) -> None:
        async with gate:
            await store.put(bucket, name, b"1")

    await asyncio.gather(*map(put, [*names, "y/other"]))
    assert [found.name async for found in store.list(bucket, "x/")] == names
    assert [found.name async for found in store.list(bucket, "x/", start_after="x/1040")] == names[1041:]
    assert [found.name async for found in store.list(bucket)] == [*names, "y/other"]


async def test_a_bucket_is_made_once(store: ObjectStore) -> None:
    name = f"made-{secrets.token_hex(6)}"
    await store.ensure_bucket(name)
    await store.ensure_bucket(name)
    await store.put(name, "x", b"1")
    with pytest.raises(NoObjectLock, match="without Object Lock"):
        await store.ensure_bucket(name, lock=True)


@pytest.mark.guarantee("V7")
async def test_a_locked_version_cannot_be_deleted(store: ObjectStore) -> None:
    name = f"locked-{secrets.token_hex(6)}"
    await store.ensure_bucket(name, lock=True)
    await store.ensure_bucket(name, lock=True)
    until = datetime.now(UTC) + timedelta(minutes=10)
    kept = await store.put(name, "entry", b"evidence", retain_until=until)
    assert kept.version_id
    with pytest.raises(StoreRefused):
        await store.delete(name, "entry", version_id=kept.version_id)
    await store.put(name, "entry", b"newer")
    await store.delete(name, "entry")
    with pytest.raises(NotFound):
        await store.get(name, "entry")
    assert await store.get(name, "entry", version_id=kept.version_id) == b"evidence"
    versions = [found async for found in store.list(name, "entry", versions=True)]
    assert [found.delete_marker for found in versions].count(True) == 1
    assert kept.version_id in {found.version_id for found in versions}


@pytest.mark.guarantee("V7")
async def test_nobody_shortens_or_lifts_a_lock(
    store: ObjectStore, object_store: servers.ObjectStoreSettings
) -> None:
    name = f"locked-{secrets.token_hex(6)}"
    await store.ensure_bucket(name, lock=True)
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=10)
    kept = await store.put(name, "entry", b"evidence", retain_until=until)
    owner = servers.s3_client(object_store)
    for less in (
        Retention(COMPLIANCE, until - timedelta(hours=1)),
        Retention(GOVERNANCE, until),
        Retention(GOVERNANCE, until + timedelta(hours=1)),
    ):
        with pytest.raises(S3Error, match="AccessDenied"):
            owner.set_object_retention(name, "entry", less, version_id=kept.version_id)
    found = owner.get_object_retention(name, "entry", version_id=kept.version_id)
    assert found is not None
    assert (found.mode, found.retain_until_date) == (COMPLIANCE, until)


async def test_wrong_credentials_are_refused_without_being_repeated(
    object_store: servers.ObjectStoreSettings, bucket: str
) -> None:
    for wrong in (
        replace(object_store, secret_key="not-the-secret-key"),
        replace(object_store, access_key="nobody"),
    ):
        store = open_store(wrong)
        with pytest.raises(StoreRefused) as refused:
            await store.get(bucket, "anything")
        assert wrong.secret_key not in str(refused.value)
        with pytest.raises(StoreRefused):
            await store.put(bucket, "anything", b"x")
        await store.close()
        hasty = open_store(wrong, RangeClient)
        with pytest.raises(StoreRefused):
            await hasty.get_range(bucket, "anything", 0, 1)
        await hasty.close()


async def test_a_store_that_is_away_is_unavailable() -> None:
    with closing(socket.socket()) as refusing:  # bound and not listening: every connection is refused
        refusing.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{refusing.getsockname()[1]}"
        store = ObjectStore(endpoint, "key", "secret", ranges=RangeClient)
        get, part = store.get("bucket", "n"), store.get_range("bucket", "n", 0, 1)
        for call in (get, part, store.put("bucket", "n", b"x"), store.ensure_bucket("bucket")):
            with pytest.raises(Unavailable):
                await call
        with pytest.raises(Unavailable):
            await store.put_stream("bucket", "n", _two_parts())
        await store.close()


async def _two_parts() -> AsyncIterator[bytes]:
    yield bytes(PART_BYTES)
    yield bytes(PART_BYTES)


@pytest.mark.parametrize("endpoint", ["127.0.0.1:9000", "ftp://host", "http://host/path", "http://"])
def test_an_endpoint_that_is_none_is_refused(endpoint: str) -> None:
    with pytest.raises(ValueError, match="endpoint must look like"):
        ObjectStore(endpoint, "key", "secret")


async def test_a_store_that_dies_and_comes_back_has_lost_nothing() -> None:
    with servers.s3() as server:
        store = open_store(servers.object_store_settings(server, "test"))
        await store.put("recordings", "kept", b"acknowledged")
        server.kill()
        with pytest.raises(Unavailable):
            await store.get("recordings", "kept")
        with pytest.raises(Unavailable):
            await store.put("recordings", "refused", b"x")
        server.start()
        assert await store.get("recordings", "kept") == b"acknowledged"
        with pytest.raises(NotFound):
            await store.stat("recordings", "refused")
        await store.close()
