"""A ZIP archive that is made while it is sent: nothing of it is kept, and its size is no matter.

Over `zipfile` on a file that cannot seek: sizes and checksums follow each member (APPNOTE.TXT §4.3.9). Audio
and text are stored as they are: who receives it opens it anywhere, and nothing is held back to be compressed.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from typing import IO, Any


@dataclass(frozen=True, slots=True)
class Member:
    """A file of the archive, as the archive's own manifest names it."""

    name: str
    bytes: int
    sha256: str


class _Outlet(io.RawIOBase):
    """Takes what the archive writes until somebody takes it away."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._pending += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._pending)
        self._pending.clear()
        return taken


class Archive:
    """Members go in one after the other; `take` gives the bytes that there are so far."""

    def __init__(self, moment: tuple[int, int, int, int, int, int]) -> None:
        self._moment = moment
        self._outlet = _Outlet()
        self._zip = zipfile.ZipFile(self._outlet, "w", zipfile.ZIP_STORED, allowZip64=True)
        self.members: list[Member] = []

    def take(self) -> bytes:
        """The bytes since the last time."""
        return self._outlet.take()

    def begin(self, name: str) -> Growing:
        """A member whose bytes come in pieces."""
        info = zipfile.ZipInfo(name, self._moment)
        info.external_attr = 0o600 << 16
        return Growing(self, name, self._zip.open(info, "w", force_zip64=True))

    def add(self, name: str, content: bytes) -> None:
        """A member at once."""
        member = self.begin(name)
        member.write(content)
        member.end()

    def finish(self, *, room: int = 0) -> bytes:
        """The directory of the archive, and what was not taken yet.

        Args:
            room: bytes of a comment, which are the last ones: zeros, in the place of what belongs there.
        """
        self._zip.comment = bytes(room)
        self._zip.close()
        return self.take()


class Growing:
    """A member under way."""

    def __init__(self, archive: Archive, name: str, file: IO[bytes]) -> None:
        self._archive = archive
        self._name = name
        self._file = file
        self._digest = hashlib.sha256()
        self._bytes = 0

    def write(self, chunk: bytes) -> None:
        """Its next bytes."""
        self._file.write(chunk)
        self._digest.update(chunk)
        self._bytes += len(chunk)

    def end(self) -> None:
        """It is whole."""
        self._file.close()
        self._archive.members.append(Member(self._name, self._bytes, self._digest.hexdigest()))
