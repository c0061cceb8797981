"""Where a log is read from: an address, or a folder with the same files (C2SP tlog-tiles)."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import httpx

from otokura.cli.verify.findings import Code, VerificationError

WIDTH = 256
"""Hashes in a full tile, and entries in a full bundle."""

_HASH_BYTES = 32
_MAX_BODY = WIDTH * (2 + 65_535)
"""The largest bundle there can be; a server that sends more is not a log."""

_TIMEOUT_SECONDS = 20.0


class Place(Protocol):
    """Somewhere that holds a log's files."""

    threads: int
    """How many files are worth asking for at a time, beside what is done with them; 0: none."""

    def fetch(self, path: str) -> bytes | None:
        """The file at `path`, None if there is none; VerificationError if it cannot be read."""
        ...


class Folder:
    """A log in a folder."""

    threads = 0

    def __init__(self, root: Path) -> None:
        self._root = root

    def fetch(self, path: str) -> bytes | None:
        """The file's bytes."""
        try:
            return self._root.joinpath(path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise VerificationError(Code.UNREADABLE, path, str(error)) from error


class Web:
    """A log served over HTTP."""

    threads = 4

    def __init__(self, url: str) -> None:
        self._base = url.rstrip("/")
        self._client = httpx.Client(timeout=_TIMEOUT_SECONDS, headers={"User-Agent": "otokura-verify"})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def fetch(self, path: str) -> bytes | None:
        """The body of a 200, at most as long as the largest bundle."""
        try:
            with self._client.stream("GET", f"{self._base}/{path}") as response:
                if response.status_code in (404, 410):
                    return None
                response.raise_for_status()
                body = b""
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > _MAX_BODY:
                        raise VerificationError(Code.MALFORMED, path, f"longer than {_MAX_BODY} bytes")
        except httpx.HTTPError as error:
            raise VerificationError(Code.UNREADABLE, path, str(error) or type(error).__name__) from error
        return body


def tile_path(level: int | str, index: int, width: int) -> str:
    """The path of a tile (`level` 0 to 63) or bundle (`level` "entries")."""
    digits = f"{index:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    name = "/".join(["x" + group for group in groups[:-1]] + groups[-1:])
    return f"tile/{level}/{name}" + (f".p/{width}" if width < WIDTH else "")


def fetch_hashes(place: Place, level: int, index: int, width: int) -> list[bytes]:
    """The first `width` hashes of a tile; a partial tile may have given way to the full one."""
    return read_hashes(fetch_tile(place, level, index, width), level, index, width)


def read_hashes(data: bytes, level: int, index: int, width: int) -> list[bytes]:
    """The first `width` hashes of a tile's bytes."""
    if len(data) not in (width * _HASH_BYTES, WIDTH * _HASH_BYTES):
        path = tile_path(level, index, width)
        raise VerificationError(Code.MALFORMED, path, f"{len(data)} bytes are not {width} hashes")
    return [data[at : at + _HASH_BYTES] for at in range(0, width * _HASH_BYTES, _HASH_BYTES)]


def fetch_entries(place: Place, index: int, width: int) -> list[bytes]:
    """The first `width` entries of a bundle."""
    return read_entries(fetch_tile(place, "entries", index, width), index, width)


def read_entries(data: bytes, index: int, width: int) -> list[bytes]:
    """The first `width` entries of a bundle's bytes: each a uint16 length, big-endian, and its bytes."""
    path = tile_path("entries", index, width)
    entries: list[bytes] = []
    at, size = 0, len(data)
    while at < size:
        start = at + 2
        at = start + int.from_bytes(data[at:start])
        if start > size or at > size:
            raise VerificationError(Code.MALFORMED, path, "the bundle ends inside an entry")
        entries.append(data[start:at])
    if len(entries) not in (width, WIDTH):
        raise VerificationError(Code.MALFORMED, path, f"{len(entries)} entries, expected {width}")
    return entries[:width]


def fetch_tile(place: Place, level: int | str, index: int, width: int) -> bytes:
    """The bytes of a tile or bundle; of a partial one that is gone, those of the full one."""
    path = tile_path(level, index, width)
    data = place.fetch(path)
    if data is None and width < WIDTH:
        data = place.fetch(tile_path(level, index, WIDTH))
    if data is None:
        raise VerificationError(Code.MISSING, path, "the log does not serve it")
    return data
