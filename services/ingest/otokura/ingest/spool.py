"""The local spool: segments that cannot be stored now, encrypted, on this instance's disk, in bounds.

What lies here is safe from a restart of this instance and from nothing more: it is not accepted. A file is
one JSON line, which says where the segment belongs, then the segment as it would be stored, encrypted under
its call's key. The folder belongs to one process (a lock holds that).
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from otokura.ingest.instruments import SPOOLED_BYTES
from otokura.shared.errors import Unavailable
from otokura.shared.logs import get_logger
from otokura.shared.manifest import Gap, GapReason

log = get_logger(__name__)

SUFFIX = ".spooled"


class SpoolFull(Unavailable):
    """The spool takes no more."""


class Label(BaseModel):
    """Where a spooled item belongs: a segment, a gap, or the end of the call."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    tenant_id: UUID
    call_id: UUID
    epoch: int
    seq: int
    start_sample: int
    samples: int
    rate: int
    encoding: str
    gap: GapReason | None = None
    absent: list[Gap] = Field(default_factory=list[Gap])
    drift: list[int] | None = None
    ends: bool = False

    @property
    def file_name(self) -> str:
        """Ids and numbers only; sorts in the order of the call's timeline."""
        return f"{self.call_id}.{self.epoch:010}.{self.seq:010}{'.end' if self.ends else ''}{SUFFIX}"


class Spool:
    """A bounded folder of spooled items.

    Args:
        folder: made if missing, mode 0700.
        max_bytes: how much may lie there; None of it is given up to make room.

    Raises:
        RuntimeError: another process uses the folder.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._max = max_bytes
        self._lock = _lock(folder / "lock")
        for unfinished in folder.glob("*.part"):
            unfinished.unlink()
        self._used = sum(path.stat().st_size for path in folder.glob(f"*{SUFFIX}"))
        SPOOLED_BYTES.set(self._used)

    @property
    def used_bytes(self) -> int:
        """What lies there now."""
        return self._used

    def close(self) -> None:
        """Let another process have the folder."""
        self._lock.close()

    async def write(self, label: Label, sealed: bytes) -> None:
        """Keep an item.

        Raises:
            SpoolFull: the bound or the disk is reached; nothing is kept.
        """
        content = label.model_dump_json().encode() + b"\n" + sealed
        if self._used + len(content) > self._max:
            raise SpoolFull(_FULL)
        self._count(len(content))
        try:
            await asyncio.to_thread(self._write, self._folder / label.file_name, content)
        except OSError as error:
            self._count(-len(content))
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise SpoolFull(_FULL) from error
            raise

    def _write(self, path: Path, content: bytes) -> None:
        """Whole or not at all: a process that dies in the middle leaves a part that nobody reads."""
        part = path.with_suffix(".part")
        try:
            with _private(part) as file:
                file.write(content)
            part.rename(path)
        except OSError:
            part.unlink(missing_ok=True)
            raise

    async def read(self, label: Label) -> bytes:
        """The segment of an item."""
        content = await asyncio.to_thread((self._folder / label.file_name).read_bytes)
        return content[content.index(b"\n") + 1 :]

    async def remove(self, label: Label) -> None:
        """Forget an item; that it is gone already is no error."""
        self._count(-await asyncio.to_thread(_remove, self._folder / label.file_name))

    def labels(self) -> Iterator[Label]:
        """Every item, each call's in the order of its timeline."""
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            with path.open("rb") as file:
                line = file.readline()
            try:
                yield Label.model_validate_json(line)
            except ValidationError:
                # Kept for whoever looks; what it was to be is a gap that the next item of its call shows.
                log.error("spool.damaged", file=path.name)  # noqa: TRY400 - the error would quote the line
                path.rename(path.with_suffix(".damaged"))

    def _count(self, change: int) -> None:
        self._used += change
        SPOOLED_BYTES.set(self._used)


_FULL = "The store or the database is away and the local spool is full; come back shortly."


def _remove(path: Path) -> int:
    """The bytes that became free."""
    try:
        size = path.stat().st_size
        path.unlink()
    except FileNotFoundError:
        return 0
    return size


def _private(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def _lock(path: Path) -> IO[bytes]:
    file = _private(path)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise RuntimeError(f"The spool {path.parent} is used by another process.") from error
    return file
