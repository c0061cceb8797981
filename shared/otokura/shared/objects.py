"""The object store: S3 over the `minio` client, in threads of its own.

Errors: `NotFound`, `PreconditionFailed`, `RangeNotSatisfiable`; `StoreRefused` when the store denies the
credentials or protects the object; `Unavailable` when it cannot be reached. No request holds a thread or a
connection while the caller does something else, so slow callers cannot starve the others.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Literal, Protocol, Self, TypeVar

from minio import Minio
from minio.datatypes import Object
from minio.error import S3Error
from pydantic import SecretStr

from otokura.shared.multipart import PART_BYTES, Upload
from otokura.shared.s3 import (
    Headers,
    NoObjectLock,
    ObjectInfo,
    ObjectRange,
    S3Client,
    StoreRefused,
    store_errors,
)

__all__ = ["PART_BYTES", "NoObjectLock", "ObjectInfo", "ObjectRange", "ObjectStore", "StoreRefused"]

T = TypeVar("T")

_BLOCK_BYTES = 1024 * 1024
_PAGE = 1000
_THREADS = 32


class StoreSettings(Protocol):
    """The settings that say where the store is."""

    @property
    def s3_endpoint(self) -> str:
        """`http://host:port` or `https://host[:port]`."""
        ...

    @property
    def s3_access_key(self) -> str:
        """Name of the credential."""
        ...

    @property
    def s3_secret_key(self) -> SecretStr:
        """Its secret."""
        ...

    @property
    def s3_region(self) -> str:
        """The region that requests are signed for."""
        ...


class Ranges(Protocol):
    """Another way to ranges; `otokura.shared.range_client.RangeClient` is one."""

    async def get(self, bucket: str, name: str, start: int, length: int) -> ObjectRange | None:
        """The bytes [start, start + length), fewer at the end; None when it did not work out."""
        ...

    async def close(self) -> None:
        """Closes the connections."""
        ...


class ObjectStore:
    """One identity at one S3 endpoint. Connects at the first request.

    Args:
        endpoint: `http://host:port` or `https://host[:port]`.
        access_key: name of the credential.
        secret_key: its secret.
        region: the region that requests are signed for.
        ranges: makes a faster way to ranges, for who reads many.
    """

    def __init__(
        self,
        endpoint: str,
        access_key: str,
        secret_key: str,
        region: str = "us-east-1",
        *,
        ranges: Callable[[Minio, int], Ranges] | None = None,
    ) -> None:
        self._client = S3Client(endpoint, access_key, secret_key, region, _THREADS)
        self._ranges = ranges(self._client, _THREADS) if ranges else None
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="object-store")

    @classmethod
    def from_settings(
        cls, settings: StoreSettings, *, ranges: Callable[[Minio, int], Ranges] | None = None
    ) -> Self:
        """The store that the settings name."""
        secret = settings.s3_secret_key.get_secret_value()
        where = settings.s3_endpoint, settings.s3_access_key, secret, settings.s3_region
        return cls(*where, ranges=ranges)

    async def close(self) -> None:
        """Lets running requests end, then closes the connections."""
        await asyncio.to_thread(self._threads.shutdown)
        self._client.close()
        if self._ranges is not None:
            await self._ranges.close()

    async def put(
        self,
        bucket: str,
        name: str,
        data: bytes,
        *,
        content_type: str = "application/octet-stream",
        if_match: str | None = None,
        if_none_match: Literal["*"] | None = None,
        retain_until: datetime | None = None,
    ) -> ObjectInfo:
        """Stores an object at once.

        Args:
            bucket: where.
            name: under which name.
            data: the content.
            content_type: its media type.
            if_match: replace only the object that has this ETag.
            if_none_match: `*` means create only.
            retain_until: Object Lock in compliance mode until then, in a bucket made with `lock`.

        Raises:
            PreconditionFailed: `if_match` or `if_none_match` does not hold.
        """
        headers: Headers = {"Content-Type": content_type}
        if if_match is not None:
            headers["If-Match"] = f'"{if_match}"'
        if if_none_match is not None:
            headers["If-None-Match"] = if_none_match
        if retain_until is not None:
            headers |= _lock(retain_until, data)
        return await self._run(bucket, name, lambda: self._client.put(bucket, name, data, headers))

    async def put_stream(
        self,
        bucket: str,
        name: str,
        chunks: AsyncIterable[bytes],
        *,
        content_type: str = "application/octet-stream",
    ) -> ObjectInfo:
        """Stores a stream of unknown length, holding at most two parts of `PART_BYTES` in memory.

        The object appears when the stream has ended, or not at all: when `chunks` raises, or this is
        cancelled, what was sent is withdrawn.
        """
        upload = Upload(self._client, partial(self._run, bucket, name), bucket, name, content_type)
        try:
            async for chunk in chunks:
                await upload.add(chunk)
            return await upload.finish()
        except BaseException:
            await asyncio.shield(upload.abort())
            raise

    async def get(
        self,
        bucket: str,
        name: str,
        *,
        offset: int = 0,
        length: int | None = None,
        version_id: str | None = None,
    ) -> bytes:
        """The object's bytes from `offset`, at most `length` of them.

        Raises:
            RangeNotSatisfiable: a range was asked for that begins at or after the end.
        """
        if offset == 0 and length is None:
            return await self._run(bucket, name, lambda: self._client.get_whole(bucket, name, version_id))
        return (await self.get_range(bucket, name, offset, length, version_id=version_id)).data

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
        """As `get`, with the size and ETag of the whole; `if_match` pins the ETag."""
        if offset < 0 or (length is not None and length <= 0):
            raise ValueError(f"{length} bytes from {offset} is not a range")
        if self._ranges is not None and length is not None and version_id is None and if_match is None:
            found = await self._ranges.get(bucket, name, offset, length)
            if found is not None:
                return found
        stop = None if length is None else offset + length
        call = partial(self._client.get_range, bucket, name, offset, stop)
        return await self._run(bucket, name, partial(call, version_id=version_id, if_match=if_match))

    async def stream(
        self, bucket: str, name: str, *, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        """As `get`, in blocks of 1 MiB, all of the same object: replaced meanwhile, it ends in an error.

        Raises:
            PreconditionFailed: the object was replaced while it was read.
        """
        info = await self.stat(bucket, name)
        stop = info.size if length is None else min(info.size, offset + length)
        for start in range(offset, stop, _BLOCK_BYTES):
            size = min(_BLOCK_BYTES, stop - start)
            yield (await self.get_range(bucket, name, start, size, if_match=info.etag)).data

    async def stat(self, bucket: str, name: str, *, version_id: str | None = None) -> ObjectInfo:
        """What the store knows of an object, without its content."""
        found = await self._run(
            bucket, name, lambda: self._client.stat_object(bucket, name, version_id=version_id)
        )
        return _info(found)

    async def delete(self, bucket: str, name: str, *, version_id: str | None = None) -> None:
        """Deletes an object, or one version of it; no error if there is none.

        Raises:
            StoreRefused: the version is under Object Lock.
        """
        await self._run(bucket, name, lambda: self._client.remove_object(bucket, name, version_id))

    async def list(
        self, bucket: str, prefix: str = "", *, start_after: str | None = None, versions: bool = False
    ) -> AsyncIterator[ObjectInfo]:
        """Objects whose names begin with `prefix`, in the order of their names; every version if asked."""
        found = self._client.list_objects(
            bucket, prefix, recursive=True, start_after=start_after, include_version=versions
        )
        while page := await self._run(bucket, prefix, lambda: list(islice(found, _PAGE))):
            for item in page:
                yield _info(item)

    async def ensure_bucket(self, bucket: str, *, lock: bool = False) -> None:
        """Makes the bucket unless it exists; with `lock`, one that supports Object Lock.

        Raises:
            NoObjectLock: it exists without, which cannot be added. Any other failure says nothing about that.
        """
        await self._run(bucket, "", lambda: self._ensure_bucket(bucket, lock=lock))

    def _ensure_bucket(self, bucket: str, *, lock: bool) -> None:
        if not self._client.bucket_exists(bucket):
            try:
                self._client.make_bucket(bucket, object_lock=lock)
            except S3Error as error:
                if error.code not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
                    raise
        if not lock:
            return
        try:
            self._client.get_object_lock_config(bucket)
        except S3Error as error:
            if error.code not in {"ObjectLockConfigurationNotFoundError", "ObjectLockConfigurationNotFound"}:
                raise
            raise NoObjectLock(
                f"Bucket {bucket} exists without Object Lock; make it anew with it."
            ) from error

    async def _run(self, bucket: str, name: str, call: Callable[[], T]) -> T:
        def guarded() -> T:
            with store_errors(bucket, name):
                return call()

        return await asyncio.get_running_loop().run_in_executor(self._threads, guarded)


def _info(item: Object) -> ObjectInfo:
    return ObjectInfo(
        item.object_name or "",
        item.size or 0,
        item.etag or "",
        item.version_id,
        item.last_modified,
        item.is_delete_marker,
    )


def _lock(until: datetime, data: bytes) -> Headers:
    # S3 wants an MD5 with a locked PUT. Compliance mode: nobody, root included, can shorten or lift it.
    digest = hashlib.md5(data, usedforsecurity=False).digest()
    return {
        "x-amz-object-lock-mode": "COMPLIANCE",
        "x-amz-object-lock-retain-until-date": f"{until.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "Content-MD5": base64.b64encode(digest).decode(),
    }
