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
"""Refusals kept of each kind; each is at most as large as a submission and a checkpoint."""
_WAIT_SECONDS = 10.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS logs (
    origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, note TEXT NOT NULL, at TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS contradictions (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, origin TEXT NOT NULL, size INTEGER NOT NULL,
    root BLOB NOT NULL, status INTEGER NOT NULL, body BLOB NOT NULL,
    cosigned_size INTEGER NOT NULL, cosigned TEXT NOT NULL, UNIQUE (origin, size, root)
) STRICT;
"""
_DROP_UNPROVEN = (
    "DELETE FROM contradictions WHERE id IN (SELECT id FROM contradictions WHERE cosigned_size != size "
    "ORDER BY id DESC LIMIT -1 OFFSET ?)"
)
"""All but the newest."""
_DROP_PROVEN = (
    "DELETE FROM contradictions WHERE id IN (SELECT id FROM contradictions WHERE cosigned_size = size "
    "ORDER BY id LIMIT -1 OFFSET ?)"
)
"""All but the first: the log's owner cannot wash them away with more of them."""


@dataclass(frozen=True)
class Seen:
    """The last tree of a log that was cosigned; the empty one before the first."""

    origin: str
    size: int = 0
    root: bytes = tree_head(())
    at: str = ""
    note: str = ""


@dataclass(frozen=True)
class Contradiction:
    """A submission that was refused, and the checkpoint cosigned before that it contradicts.

    Attributes:
        at: when.
        origin: of which log.
        size: of the tree that was refused.
        status: what was answered.
        body: the submission, as it came.
        cosigned: the other checkpoint, as the log signed it.
        proven: both are of one size, and only one of them can be true. Otherwise the submission had no proof
            that it continues the other, and may be an honest checkpoint with somebody's wrong proof.
    """

    at: str
    origin: str
    size: int
    status: int
    body: bytes
    cosigned: str
    proven: bool


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
            _look_again(connection, checkpoint)

    def seen(self, origin: str) -> Seen:
        """The last tree of a log that was cosigned."""
        with self._connected() as connection:
            return _seen(connection, origin)

    def all(self) -> Sequence[Seen]:
        """Of every log."""
        with self._connected() as connection:
            rows = connection.execute("SELECT origin, size, root, at, note FROM logs ORDER BY origin")
            return [Seen(*row) for row in rows]

    def keep_refused(self, checkpoint: Checkpoint, against: Seen, status: int, body: bytes) -> None:
        """Keeps a submission that contradicts what was cosigned, as it came, and what that was.

        Anybody may post a log's public checkpoints with wrong proofs, but only the log can sign two trees of
        one size: those are kept for ever, and nothing else takes their place.
        """
        with self._alone() as connection:
            connection.execute(
                "INSERT INTO contradictions (at, origin, size, root, status, body, cosigned_size, cosigned) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (origin, size, root) DO UPDATE SET "
                "at = excluded.at, status = excluded.status, body = excluded.body, "
                "cosigned_size = excluded.cosigned_size, cosigned = excluded.cosigned "
                "WHERE cosigned_size != size AND excluded.cosigned_size = excluded.size",
                (
                    *(_now(), checkpoint.origin, checkpoint.size, checkpoint.root, int(status), body),
                    *(against.size, against.note),
                ),
            )
            connection.execute(_DROP_UNPROVEN, (_KEPT,))
            connection.execute(_DROP_PROVEN, (_KEPT,))

    def refused(self) -> Sequence[Contradiction]:
        """What was refused as a contradiction, oldest first."""
        with self._connected() as connection:
            rows = connection.execute(
                "SELECT at, origin, size, status, body, cosigned, cosigned_size = size "
                "FROM contradictions ORDER BY id"
            )
            return [
                Contradiction(at, origin, size, status, body, cosigned, bool(proven))
                for at, origin, size, status, body, cosigned, proven in rows
            ]


def _look_again(connection: sqlite3.Connection, checkpoint: Checkpoint) -> None:
    """Of trees of this size that were refused for want of a proof, the same was honest, another is a fork."""
    tree = (checkpoint.origin, checkpoint.size, checkpoint.root)
    connection.execute("DELETE FROM contradictions WHERE (origin, size, root) = (?, ?, ?)", tree)
    connection.execute(
        "UPDATE contradictions SET cosigned = ?, cosigned_size = size "
        "WHERE origin = ? AND size = ? AND cosigned_size != size",
        (checkpoint.note, checkpoint.origin, checkpoint.size),
    )


def _seen(connection: sqlite3.Connection, origin: str) -> Seen:
    found = connection.execute("SELECT origin, size, root, at, note FROM logs WHERE origin = ?", (origin,))
    row = found.fetchone()
    return Seen(origin) if row is None else Seen(*row)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
