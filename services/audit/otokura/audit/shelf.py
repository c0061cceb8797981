"""The log's files in the bucket: `<year>/checkpoint`, `<year>/tile/…`, `<year>/checkpoints/<hour>`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from otokura.audit.checks import Published
from otokura.audit.errors import StaleAppender
from otokura.audit.notes import NoteError, Signer
from otokura.audit.tiles import Tile, parse_path, tiles_between
from otokura.shared.errors import IntegrityError, NotFound, PreconditionFailed
from otokura.shared.logs import get_logger
from otokura.shared.objects import NoObjectLock, ObjectInfo, ObjectStore

TEXT = "text/plain; charset=utf-8"
BINARY = "application/octet-stream"
JSON = "application/json"
OPENING = "opening"

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Overwritten:
    """Something that was put over an immutable object: a version, or a delete marker."""

    path: str
    version_id: str
    deleted: bool


class Shelf:
    """The bucket of the log.

    Args:
        store: the service's identity at the store.
        bucket: its name.
        lock_after_year: how long after the end of a shard's year its full tiles stay locked.
    """

    def __init__(self, store: ObjectStore, bucket: str, lock_after_year: timedelta) -> None:
        self._store = store
        self._bucket = bucket
        self._lock_after_year = lock_after_year
        self._opened = False
        self._locks = False
        self._hours: set[str] = set()

    async def open(self) -> None:
        """Makes the bucket if it is not there, and finds out whether it has Object Lock.

        Raises:
            Unavailable: it does not say; nothing may be put there without a lock that it could have.
        """
        if self._opened:
            return
        try:
            await self._store.ensure_bucket(self._bucket, lock=True)
            self._locks = True
        except NoObjectLock:
            log.warning("the log's bucket has no Object Lock: its files can be deleted", bucket=self._bucket)
        self._opened = True

    async def check(self) -> None:
        """Readiness: the store answers."""
        async for _ in self._store.list(self._bucket, "readiness/"):
            return

    async def read(self, year: int, path: str, version_id: str | None = None) -> bytes:
        """A file's bytes, of a version if one is named; `NotFound` if there is none."""
        return await self._store.get(self._bucket, f"{year}/{path}", version_id=version_id)

    async def checkpoint(self, year: int, signer: Signer) -> Published | None:
        """The newest checkpoint.

        Raises:
            IntegrityError: something else lies in its place.
        """
        return await self._note(f"{year}/checkpoint", signer)

    async def cosigned(self, year: int, signer: Signer) -> Published | None:
        """The newest checkpoint that a quorum of witnesses has cosigned; it may be older than the newest."""
        return await self._note(f"{year}/cosigned", signer)

    async def _note(self, name: str, signer: Signer) -> Published | None:
        try:
            found = await self._store.get_range(self._bucket, name, 0)
        except NotFound:
            return None
        try:
            note = found.data.decode()
            return Published(signer.open(note), note, found.etag)
        except (NoteError, UnicodeDecodeError) as error:
            raise IntegrityError(f"{name} in the bucket is not the log's: {error}.") from error

    async def put_checkpoint(self, year: int, note: str, replaced: Published | None, signer: Signer) -> None:
        """Replaces exactly the checkpoint that was read; the first of each hour is kept under lock too.

        Args:
            year: the shard.
            note: the checkpoint.
            replaced: what was read; None if there was none.
            signer: knows the log's checkpoints from what somebody put in their place beforehand.

        Raises:
            StaleAppender: it is not there any more.
        """
        await self.replace_note(f"{year}/checkpoint", note, replaced)
        await self._keep_hourly(year, note, signer)

    async def replace_note(self, name: str, note: str, replaced: Published | None) -> None:
        """Puts a note in the place of exactly the one that was read there.

        Raises:
            StaleAppender: it is not there any more.
        """
        try:
            await self._store.put(
                self._bucket,
                name,
                note.encode(),
                content_type=TEXT,
                if_none_match="*" if replaced is None else None,
                if_match=None if replaced is None else replaced.etag,
            )
        except PreconditionFailed as error:
            raise StaleAppender from error

    async def _keep_hourly(self, year: int, note: str, signer: Signer) -> None:
        name = f"{year}/checkpoints/{datetime.now(UTC):%Y-%m-%dT%H}"
        if name in self._hours:
            return
        await self._put_ours(year, name, note.encode(), TEXT, signer.signed)
        self._hours = {name}

    async def put_tile(self, year: int, tile: Tile, data: bytes) -> str | None:
        """Puts a tile or bundle; a full one once and for all, under the version that is returned.

        Raises:
            IntegrityError: other bytes lie in the place of a full one.
        """
        name = f"{year}/{tile.path()}"
        if not tile.full:
            await self._store.put(self._bucket, name, data, content_type=BINARY)
            return None
        version, fresh = await self._put_once(year, name, data, BINARY)
        if not fresh and await self._store.get(self._bucket, name, version_id=version) != data:
            raise IntegrityError(f"{name} in the bucket is not what the database's rows give.")
        return version

    async def put_opening(self, year: int, receipt: bytes, ours: Callable[[bytes], bool]) -> str | None:
        """Keeps the receipt of a shard's first entry for good, under the version that is returned."""
        return await self._put_ours(year, f"{year}/{OPENING}", receipt, JSON, ours)

    async def _put_ours(
        self, year: int, name: str, data: bytes, content_type: str, ours: Callable[[bytes], bool]
    ) -> str | None:
        """Puts what we may have put before; over what is not ours, so that the guard tells of it."""
        version, fresh = await self._put_once(year, name, data, content_type)
        if fresh:
            return version
        for known in await self._versions(name):
            if ours(await self._store.get(self._bucket, name, version_id=known)):
                return known
        put = await self._store.put(
            self._bucket, name, data, content_type=content_type, retain_until=self._retention(year)
        )
        return put.version_id

    async def _put_once(
        self, year: int, name: str, data: bytes, content_type: str
    ) -> tuple[str | None, bool]:
        """Puts what will never change: the version that was put first, and whether this is it."""
        try:
            put = await self._store.put(
                self._bucket,
                name,
                data,
                content_type=content_type,
                if_none_match="*",
                retain_until=self._retention(year),
            )
        except PreconditionFailed:
            return await self._first(name), False
        return put.version_id, True

    async def _first(self, name: str) -> str | None:
        """The version of an object that was put first."""
        return next(iter(await self._versions(name)), None)

    async def _versions(self, name: str) -> list[str | None]:
        """The versions of an object, the first before the others; without locks that which lies there."""
        if not self._locks:
            return [None]
        found = [item async for item in self._store.list(self._bucket, name, versions=True)]
        mine = [item.version_id for item in found if item.name == name and not item.delete_marker]
        return mine[::-1]  # S3 lists the newest first

    async def overwritten(self, year: int) -> AsyncIterator[Overwritten]:
        """The immutable objects of a shard over which something was put: each with what lies on top."""
        if not self._locks:
            return
        for part in ("tile/", "checkpoints/", OPENING):
            newest: ObjectInfo | None = None
            told = ""
            async for found in self._store.list(self._bucket, f"{year}/{part}", versions=True):
                above, newest = newest, found if newest is None or newest.name != found.name else newest
                path = found.name.removeprefix(f"{year}/")
                more = above is not None and above.name == found.name
                if not (more or found.delete_marker) or path == told or not _immutable(path):
                    continue
                told = path
                yield Overwritten(path, newest.version_id or "", newest.delete_marker)

    async def clean(self, year: int, old: int, new: int) -> None:
        """Removes the partial tiles of `old` whose full tiles came with `new`: readers use those instead."""
        for tile in tiles_between(old, new):
            began_before = tile.start < _level_size(tile, old)
            if tile.full and began_before:
                prefix = f"{year}/{tile.path()}.p/"
                async for version in self._store.list(self._bucket, prefix, versions=self._locks):
                    await self._store.delete(self._bucket, version.name, version_id=version.version_id)

    def _retention(self, year: int) -> datetime | None:
        """Until when the files of a shard are locked; None in a bucket without locks."""
        return datetime(year + 1, 1, 1, tzinfo=UTC) + self._lock_after_year if self._locks else None


def _immutable(path: str) -> bool:
    tile = parse_path(path)
    return path == OPENING or path.startswith("checkpoints/") or (tile is not None and tile.full)


def _level_size(tile: Tile, size: int) -> int:
    return size if tile.level is None else size >> (8 * tile.level)
