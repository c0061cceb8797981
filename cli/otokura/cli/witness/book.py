"""The witness's memory: the last tree it cosigned of each log, and what it refused as a contradiction.

Comparing and replacing are one transaction of SQLite, flushed to the disk before anything is signed: of two
submissions at once one comes after the other, and a witness that is killed remembers all that it has signed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from otokura.cli.verify.merkle import tree_head
from otokura.cli.verify.notes import Checkpoint

_KEPT = 1_000
"""Refusals kept, the newest; each is at most as large as a submission."""
_WAIT_SECONDS = 10.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS logs (
    origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, note TEXT NOT NULL, at TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS refused (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, origin TEXT NOT NULL, size INTEGER NOT NULL,
    status INTEGER NOT NULL, body BLOB NOT NULL
) STRICT;
"""


@dataclass(frozen=True)
class Seen:
    """The last tree of a log that was cosigned; the empty one before the first."""

    origin: str
    size: int = 0
    root: bytes = tree_head(())
    at: str = ""


class Book:
    """The file that holds it.

    Args:
        path: made when it is not there. It must never be put back from a copy: what was cosigned since is
            forgotten then, and could be contradicted.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._connected() as connection:
            connection.executescript(_SCHEMA)

    @contextmanager
    def _connected(self) -> Generator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=_WAIT_SECONDS, isolation_level=None)) as connection:
            # With a rollback journal EXTRA flushes the journal's removal too, which is the commit.
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("PRAGMA synchronous = EXTRA")
            yield connection

    @contextmanager
    def _alone(self) -> Generator[sqlite3.Connection]:
        """A transaction that no other process or thread writes beside."""
        with self._connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def replace(self, checkpoint: Checkpoint, judge: Callable[[Seen], None]) -> None:
        """Puts a checkpoint in the place of the last one, if `judge` does not raise at the sight of that."""
        with self._alone() as connection:
            judge(_seen(connection, checkpoint.origin))
            connection.execute(
                "INSERT INTO logs VALUES (?, ?, ?, ?, ?) ON CONFLICT (origin) DO UPDATE SET "
                "size = excluded.size, root = excluded.root, note = excluded.note, at = excluded.at",
                (checkpoint.origin, checkpoint.size, checkpoint.root, checkpoint.note, _now()),
            )

    def seen(self, origin: str) -> Seen:
        """The last tree of a log that was cosigned."""
        with self._connected() as connection:
            return _seen(connection, origin)

    def all(self) -> Sequence[Seen]:
        """Of every log."""
        with self._connected() as connection:
            rows = connection.execute("SELECT origin, size, root, at FROM logs ORDER BY origin")
            return [Seen(*row) for row in rows]

    def keep_refused(self, checkpoint: Checkpoint, status: int, body: bytes) -> None:
        """Keeps a submission that contradicts what was cosigned, as it came."""
        with self._alone() as connection:
            row = (_now(), checkpoint.origin, checkpoint.size, int(status), body)
            connection.execute(
                "INSERT INTO refused (at, origin, size, status, body) VALUES (?, ?, ?, ?, ?)", row
            )
            connection.execute("DELETE FROM refused WHERE id <= (SELECT max(id) FROM refused) - ?", (_KEPT,))

    def refused(self) -> Sequence[tuple[str, str, int, int, bytes]]:
        """When, of which log, its size, the status that was answered, and the body; oldest first."""
        with self._connected() as connection:
            return list(connection.execute("SELECT at, origin, size, status, body FROM refused ORDER BY id"))


def _seen(connection: sqlite3.Connection, origin: str) -> Seen:
    found = connection.execute("SELECT origin, size, root, at FROM logs WHERE origin = ?", (origin,))
    row = found.fetchone()
    return Seen(origin) if row is None else Seen(*row)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
