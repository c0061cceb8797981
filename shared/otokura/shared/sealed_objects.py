"""Objects under encryption: written as a stream, read by range, opened only where they are read.

The length and the hash of the plaintext come from the manifest (the database and the log), never from the
bucket.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterable
from dataclasses import dataclass
from typing import Protocol

from otokura.shared.cipher import Buffer, Encryptor, RangeOpener
from otokura.shared.errors import IntegrityError, RangeNotSatisfiable
from otokura.shared.keys import Kind, associated_data, check_commitment, derive
from otokura.shared.manifest import Manifest
from otokura.shared.objects import ObjectStore
from otokura.shared.segments import (
    HEADER_BYTES,
    Cover,
    ciphertext_size,
    cover,
    segment_of,
    segment_start,
)

_RUN_SEGMENTS = 16
"""Segments that a stream fetches at once (1 MiB)."""


class RangeSource(Protocol):
    """Bytes that can be read anywhere."""

    @property
    def size(self) -> int:
        """How many there are."""
        ...

    async def read(self, offset: int, length: int) -> bytes:
        """The bytes [offset, offset + length), fewer at the end, none after it."""
        ...


@dataclass(frozen=True, slots=True)
class SealedInfo:
    """What was sealed: for the manifest, where it is trusted."""

    plaintext_bytes: int
    plaintext_sha256: str
    etag: str
    version_id: str | None


class HeaderCache:
    """Headers (40 bytes) of objects opened lately, so that a range takes one request and not two.

    A header is no secret. One is remembered only after a segment under it proved authentic, and whatever is
    opened under it is authenticated again; a wrong one can only fail.
    """

    def __init__(self, capacity: int = 4096) -> None:
        self._capacity = capacity
        self._headers: OrderedDict[tuple[str, str], bytes] = OrderedDict()

    def get(self, bucket: str, name: str) -> bytes | None:
        """The header of an object, if it is remembered."""
        return self._headers.get((bucket, name))

    def remember(self, bucket: str, name: str, header: bytes) -> None:
        """Keeps a header that has proved authentic; the oldest goes when there are too many."""
        self._headers[bucket, name] = header
        if len(self._headers) > self._capacity:
            self._headers.popitem(last=False)

    def forget(self, part: str) -> None:
        """Lets go of the headers of all objects whose names have this part, such as a call's id."""
        for key in [key for key in self._headers if part in key[1].split("/")]:
            del self._headers[key]


class SealedObject:
    """A `RangeSource` over an encrypted object. Fetches only the segments that cover what is read.

    Args:
        store: where the object lies.
        bucket: its bucket.
        name: its name.
        key: the key of its kind (`otokura.shared.keys.derive`).
        associated_data: what it is bound to (`otokura.shared.keys.associated_data`).
        plaintext_bytes: its length, from a trusted place.
        headers: remembers the header for the next one who opens this object.
    """

    def __init__(
        self,
        store: ObjectStore,
        bucket: str,
        name: str,
        *,
        key: bytes,
        associated_data: bytes,
        plaintext_bytes: int,
        headers: HeaderCache | None = None,
    ) -> None:
        self._store = store
        self._headers = headers
        self._header = headers.get(bucket, name) if headers else None
        self._where = (bucket, name)
        self._key = key
        self._associated_data = associated_data
        self._size = plaintext_bytes
        self._opener: RangeOpener | None = None
        if self._header is not None:
            self._open_header(self._header)

    @property
    def size(self) -> int:
        """Bytes of plaintext."""
        return self._size

    async def read(self, offset: int, length: int) -> bytes:
        """The plaintext [offset, offset + length), fewer bytes at the end, none after it.

        Raises:
            IntegrityError: the object is not what was sealed.
            NotFound: there is no object.
            Unavailable: the store cannot be reached.
        """
        stop = min(offset + length, self._size)
        return b"".join(await self._read(offset, stop)) if offset < stop else b""

    async def stream(self, start: int = 0, stop: int | None = None) -> AsyncGenerator[bytes]:
        """The plaintext [start, stop) in pieces of at most one segment; the next run is fetched meanwhile.

        Raises:
            IntegrityError: the object is not what was sealed. Every piece before was authentic.
            RangeNotSatisfiable: the range is not within the plaintext.
        """
        stop = self._size if stop is None else stop
        if not 0 <= start <= stop <= self._size:
            raise RangeNotSatisfiable(f"[{start}, {stop}) does not lie within {self._size} bytes.")
        segments = 1  # the first run is short, so that the first byte comes soon
        ahead = self._fetch_ahead(start, stop, segments)
        try:
            while ahead is not None:
                pieces = await ahead
                start = _run_stop(start, stop, segments)
                segments = min(segments * 4, _RUN_SEGMENTS)
                ahead = self._fetch_ahead(start, stop, segments)
                for piece in pieces:
                    yield piece
        finally:
            if ahead is not None:
                ahead.cancel()
                await asyncio.gather(ahead, return_exceptions=True)

    def _fetch_ahead(self, start: int, stop: int, segments: int) -> asyncio.Task[list[bytes]] | None:
        if start >= stop:
            return None
        return asyncio.create_task(self._read(start, _run_stop(start, stop, segments)))

    async def _read(self, start: int, stop: int) -> list[bytes]:
        run = cover(start, stop, self._size)
        opener, ciphertext = await self._fetch(run)
        pieces = opener.open(run, ciphertext)
        if self._headers is not None and self._header is not None:
            self._headers.remember(*self._where, self._header)
        excess = segment_start(run.first) + sum(map(len, pieces)) - stop
        if excess:
            pieces[-1] = pieces[-1][:-excess]
        if run.skip:
            pieces[0] = pieces[0][run.skip :]
        return pieces

    async def _fetch(self, run: Cover) -> tuple[RangeOpener, Buffer]:
        if self._opener is not None:
            return self._opener, await self._get(run.offset, run.length)
        if run.first == 0:
            whole = memoryview(await self._get(0, HEADER_BYTES + run.length))
            return self._open_header(whole[:HEADER_BYTES]), whole[HEADER_BYTES:]
        header, ciphertext = await asyncio.gather(
            self._get(0, HEADER_BYTES), self._get(run.offset, run.length)
        )
        return self._open_header(header), ciphertext

    def _open_header(self, header: Buffer) -> RangeOpener:
        self._header = bytes(header)
        self._opener = RangeOpener(self._key, self._associated_data, header, self._size)
        return self._opener

    async def _get(self, offset: int, length: int) -> bytes:
        try:
            part = await self._store.get_range(*self._where, offset, length)
        except RangeNotSatisfiable:
            raise IntegrityError("The stored object is shorter than its manifest says.") from None
        if part.total != ciphertext_size(self._size):
            raise IntegrityError("The stored object has another size than its manifest says.")
        return part.data


def _run_stop(start: int, stop: int, segments: int) -> int:
    return min(stop, segment_start(segment_of(start) + segments))


def open_recording(
    store: ObjectStore, manifest: Manifest, dek: bytes, headers: HeaderCache | None = None
) -> SealedObject:
    """The recording that a manifest describes. The key's commitment is checked before anything is derived.

    Raises:
        IntegrityError: `dek` is not the key to which the manifest commits.
    """
    check_commitment(dek, manifest.call_id, manifest.key_commitment)
    return SealedObject(
        store,
        manifest.recording.bucket,
        manifest.recording.name,
        key=derive(dek, Kind.RECORDING, manifest.call_id),
        associated_data=associated_data(manifest.tenant_id, manifest.call_id, Kind.RECORDING),
        plaintext_bytes=manifest.recording.plaintext_bytes,
        headers=headers,
    )


async def seal(
    store: ObjectStore,
    bucket: str,
    name: str,
    chunks: AsyncIterable[bytes],
    *,
    key: bytes,
    associated_data: bytes,
) -> SealedInfo:
    """Encrypts a stream of any length into an object, with flat memory; no plaintext touches a disk."""
    encryptor = Encryptor(key, associated_data)
    digest = hashlib.sha256()
    size = 0

    async def encrypted() -> AsyncGenerator[bytes]:
        nonlocal size
        async for chunk in chunks:
            digest.update(chunk)
            size += len(chunk)
            yield encryptor.update(chunk)
        yield encryptor.finalize()

    info = await store.put_stream(bucket, name, encrypted())
    return SealedInfo(size, digest.hexdigest(), info.etag, info.version_id)
