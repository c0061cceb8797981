"""What an import has done so far: a file of one line for each step, on disk before the next step begins.

However an import ends, the next one reads here which calls were started, how far their files had got, and
which are sealed. The lines hold names of files and ids, and nothing else of the sidecar.
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self

from otokura.cli.imports.entries import Entry

NAME = ".otokura-import.jsonl"
_VERSION = 1


class JournalError(Exception):
    """The journal cannot be used; the text says what to do."""


@dataclass(frozen=True)
class Progress:
    """How far one recording has got.

    Attributes:
        file: its name in the folder.
        external_id: the phone system's id of its call.
        attempt: counts the calls started for it; what is asked for again has the same idempotency key.
        body_sha256: of the body with which the call was started.
        started: when that was first tried, in seconds since 1970.
        call_id: the call, once it is known.
        upload: the address of the upload under way.
        size: bytes of the file when the upload began, and
        changed: its modification time, in nanoseconds: another file is not sent on.
        outcome: `sealed` or `failed`, once it is known.
        reason: why it failed.
        refused: the file itself was refused; sent again as it is, it would be again.
    """

    file: str
    external_id: str
    attempt: int = 0
    body_sha256: str | None = None
    started: float | None = None
    call_id: str | None = None
    upload: str | None = None
    size: int | None = None
    changed: int | None = None
    outcome: str | None = None
    reason: str | None = None
    refused: bool = False


class Journal:
    """An open journal, which no other import has open.

    Args:
        path: the file; made, for its owner alone, if it is not there.
        url: the ingest to which everything goes: a journal is of one.

    Raises:
        JournalError: another import runs, the file is of another ingest, or cannot be written.
    """

    def __init__(self, path: Path, url: str) -> None:
        self._path = path
        self._lock = Lock()
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise JournalError(f"{path}: {error.strerror}; put it elsewhere with --state") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._known = self._read(url)
        except BlockingIOError:
            os.close(self._file)
            raise JournalError(f"{path} is in use: another import of this folder runs") from None
        except JournalError:
            os.close(self._file)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def of(self, entry: Entry) -> Progress:
        """How far a recording has got."""
        with self._lock:
            known = self._known.get((entry.file, entry.external_id))
        return known or Progress(entry.file, entry.external_id)

    def note(self, progress: Progress, **changes: Any) -> Progress:
        """Write a step down; when this returns it is on disk.

        Raises:
            JournalError: it cannot be written.
        """
        noted = replace(progress, **changes)
        line = json.dumps(
            {name: value for name, value in asdict(noted).items() if value not in (None, False)}
        )
        with self._lock:
            self._known[noted.file, noted.external_id] = noted
            self._append(line)
        return noted

    def _append(self, line: str) -> None:
        try:
            os.write(self._file, line.encode() + b"\n")
            os.fsync(self._file)
        except OSError as error:
            raise JournalError(f"{self._path}: {error.strerror}") from None

    def _read(self, url: str) -> dict[tuple[str, str], Progress]:
        header = json.dumps({"version": _VERSION, "ingest": url})
        data = self._path.read_bytes()
        if not data:
            self._append(header)
            return {}
        whole = data.rfind(b"\n") + 1
        known: dict[tuple[str, str], Progress] = {}
        try:
            first, *steps = data[:whole].decode().splitlines()
            if json.loads(first) != json.loads(header):
                raise JournalError(
                    f"{self._path} is of an import into another ingest. Give this one its own --state; what"
                    " ingest has already under the same external ids is left out all the same"
                )
            for step in map(json.loads, steps):
                known[step["file"], step["external_id"]] = Progress(**step)
        except (ValueError, KeyError, TypeError) as error:
            raise JournalError(f"{self._path} is no journal of an import: {error}") from None
        os.ftruncate(self._file, whole)  # of a line that a crash cut off nothing had come of yet
        return known
