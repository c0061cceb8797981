"""Where a log is read from: an address, or a folder with the same files (C2SP tlog-tiles)."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
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
_FILE_SECONDS = 120.0
"""For one whole file: a server that sends a byte now and then must not hold a verification up for ever."""
_NOT_PACKED = ("", "identity")


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
        """The file's bytes, at most as many as the largest bundle has."""
        target = self._root / path
        try:
            if target.exists() and not target.is_file():
                raise VerificationError(Code.MALFORMED, path, "not a plain file")
            with target.open("rb") as file:
                body = file.read(_MAX_BODY + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise VerificationError(Code.UNREADABLE, path, str(error)) from error
        if len(body) > _MAX_BODY:
            raise VerificationError(Code.MALFORMED, path, f"longer than {_MAX_BODY} bytes")
        return body


class Web:
    """A log served over HTTP."""

    threads = 4

    def __init__(self, url: str) -> None:
        self._base = url.rstrip("/")
        # Redirects are not followed: the log is at the address that was given. Nothing is asked for packed,
        # and nothing is unpacked, so a small answer stays small.
        headers = {"User-Agent": "otokura-verify", "Accept-Encoding": "identity"}
        self._client = httpx.Client(timeout=_TIMEOUT_SECONDS, headers=headers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def fetch(self, path: str) -> bytes | None:
        """The body of a 200, at most as long as the largest bundle, within two minutes."""
        deadline = time.monotonic() + _FILE_SECONDS
        try:
            with self._client.stream("GET", f"{self._base}/{path}") as response:
                if response.status_code in (404, 410):
                    return None
                if response.status_code != 200:  # noqa: PLR2004 - what tlog-tiles asks for
                    raise VerificationError(Code.UNREADABLE, path, f"answered {response.status_code}")
                if response.headers.get("content-encoding", "").lower() not in _NOT_PACKED:
                    raise VerificationError(Code.MALFORMED, path, "packed, which nobody asked for")
                return _read_bounded(response, path, deadline)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise VerificationError(Code.UNREADABLE, path, str(error) or type(error).__name__) from error


def _read_bounded(response: httpx.Response, path: str, deadline: float) -> bytes:
    body = bytearray()
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > _MAX_BODY:
            raise VerificationError(Code.MALFORMED, path, f"longer than {_MAX_BODY} bytes")
        if time.monotonic() > deadline:
            raise VerificationError(Code.UNREADABLE, path, f"not sent within {_FILE_SECONDS:.0f} seconds")
    return bytes(body)


@contextmanager
def open_place(location: str | Path) -> Generator[Place]:
    """The log at an address (`http://…`, `https://…`) or in a folder."""
    if str(location).startswith(("http://", "https://")):
        with Web(str(location)) as web:
            yield web
    else:
        yield Folder(Path(location))


def fetch_note(place: Place, path: str) -> str | None:
    """A signed note as text, not verified; None if there is none."""
    data = place.fetch(path)
    try:
        return None if data is None else data.decode()
    except UnicodeDecodeError as error:
        raise VerificationError(Code.MALFORMED, path, "not UTF-8") from error


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
        if len(entries) == WIDTH:
            raise VerificationError(Code.MALFORMED, path, f"more than {WIDTH} entries")
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
