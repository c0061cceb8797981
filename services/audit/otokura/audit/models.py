"""The tables of the log. A row of `entries` is what PostgreSQL sequenced; tiles are made from these alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Index,
    LargeBinary,
    SmallInteger,
    Text,
    TextClause,
    UniqueConstraint,
    func,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from otokura.shared.audit_entries import Action

DENIALS = (Action.READ_DENIED, Action.LOGIN_REFUSED, Action.TOKEN_DENIED, Action.DISCLOSURE_DENIED)
CHANGES = (
    Action.POLICIES_CHANGED,
    Action.ZONE_CREATED,
    Action.ZONE_CHANGED,
    Action.ZONE_DELETED,
    Action.HOLD_SET,
    Action.HOLD_LIFTED,
    Action.SETTINGS_CHANGED,
    Action.RETENTION_CHANGED,
)


def one_of(actions: Sequence[str]) -> TextClause:
    """The condition of an index that holds these alone."""
    quoted = ", ".join(f"'{action}'" for action in actions)
    return text(f"action IN ({quoted})")


class Table(SQLModel, registry=registry()):
    """Base of this service's tables: metadata of their own."""


class Shard(Table, table=True):
    """One log: one year. Its row is the tree's state, changed by compare-and-set only."""

    __tablename__ = "log_shards"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive

    shard: int = Field(primary_key=True, sa_type=SmallInteger)
    """The year."""
    size: int = Field(sa_type=BigInteger)
    """Entries sequenced."""
    peaks: bytes = Field(sa_type=LargeBinary)
    """`merkle.Frontier.peaks` at `size`, one after another, 32 bytes each."""
    signed_size: int = Field(default=0, sa_type=BigInteger)
    """The largest tree that was ever signed; never shrinks."""
    signed_root: bytes | None = Field(default=None, sa_type=LargeBinary)
    published_size: int = Field(default=0, sa_type=BigInteger)
    """Tiles, bundles and checkpoint of this size are in the bucket."""
    published_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))
    """When the newest checkpoint was; None while there is none, not even that of the empty log."""


class Entry(Table, table=True):
    """One leaf, and what it commits to."""

    __tablename__ = "entries"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive
    __table_args__ = (
        # What is asked for is asked newest first, between two times: an answer is read off an index in order.
        Index("entries_by_tenant", "tenant_id", "time", "shard", "index"),
        Index("entries_by_reader", "tenant_id", "reader", "time", "shard", "index"),
        Index("entries_by_call", "tenant_id", "call_id", "time", "shard", "index"),
        Index("entries_by_action", "tenant_id", "action", "time", "shard", "index"),
        Index("entries_denied", "tenant_id", "time", "shard", "index", postgresql_where=one_of(DENIALS)),
        Index("entries_of_changes", "tenant_id", "time", "shard", "index", postgresql_where=one_of(CHANGES)),
        Index("entries_by_age", "tenant_id", "sequenced_at"),
        Index("entries_by_source", "source", "seq"),
    )

    shard: int = Field(primary_key=True, sa_type=SmallInteger)
    index: int = Field(primary_key=True, sa_type=BigInteger)
    entry_id: UUID = Field(unique=True)
    source: str = Field(sa_type=Text)
    seq: int = Field(sa_type=BigInteger)
    time: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    tenant_id: UUID | None
    action: str = Field(sa_type=Text)
    reader: str | None = Field(sa_type=Text)
    call_id: UUID | None
    leaf: bytes = Field(sa_type=LargeBinary)
    """Canonical JSON: public."""
    salt: bytes | None = Field(sa_type=LargeBinary)
    recorded: bytes | None = Field(sa_type=LargeBinary)
    """The entry with its signature, canonical JSON: private. It and the salt may go, the leaf may not."""
    erased_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))
    """When they went."""
    erased_why: str | None = Field(default=None, sa_type=Text)
    """`erasure`: with the call that the entry is about. `retention`: their time had passed."""
    sequenced_at: datetime | None = Field(
        default=None, sa_column=Column(DateTime(timezone=True), server_default=func.now())
    )
    """By this log's clock: `time` is what the source says. Of entries from before this was kept, when it was
    first kept."""


class DetailRetention(Table, table=True):
    """How far the details of a tenant's entries were looked through for what is kept no longer."""

    __tablename__ = "detail_retention"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive

    tenant_id: UUID = Field(primary_key=True)
    """The nil UUID for entries of no tenant."""
    done: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    """Of what was sequenced before, only what is held, or proof, has its detail."""


class SiemCursor(Table, table=True):
    """How far a receiver has been sent a shard's entries."""

    __tablename__ = "siem_cursors"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive

    name: str = Field(primary_key=True, sa_type=Text)
    shard: int = Field(primary_key=True, sa_type=SmallInteger)
    next: int = Field(sa_type=BigInteger)


class KeptObject(Table, table=True):
    """The version of an immutable object in the bucket that the service wrote."""

    __tablename__ = "log_objects"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive

    shard: int = Field(primary_key=True, sa_type=SmallInteger)
    path: str = Field(primary_key=True, sa_type=Text)
    version_id: str = Field(sa_type=Text)


class TileNode(Table, table=True):
    """The hash of a full tile: level L, number n is the root over tile n of level L - 1."""

    __tablename__ = "tile_nodes"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive

    shard: int = Field(primary_key=True, sa_type=SmallInteger)
    level: int = Field(primary_key=True, sa_type=SmallInteger)
    index: int = Field(primary_key=True, sa_type=BigInteger)
    hash: bytes = Field(sa_type=LargeBinary)


class Source(Table, table=True):
    """One instance of a service, and which of its numbers have come."""

    __tablename__ = "sources"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive

    source: str = Field(primary_key=True, sa_type=Text)
    partition: int
    """Of the audit topic, where its messages come from: who consumes that, watches the source."""
    high: int = Field(default=0, sa_type=BigInteger)
    gaps: list[dict[str, Any]] = Field(default_factory=list[dict[str, Any]], sa_type=JSONB)
    heard_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    closed: bool = False
    silence_alerted: bool = False
    declared: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default="0"))
    """The number that the newest of its heartbeats said, by their own times."""
    declared_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))
    """The time of that heartbeat."""


class ReadCount(Table, table=True):
    """What a source counted of its reads of one tenant's calls, and what the log has of them."""

    __tablename__ = "read_counts"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive
    __table_args__ = (
        Index("read_counts_pending", "source", "tenant_id", postgresql_where=literal_column("pending")),
    )

    source: str = Field(primary_key=True, sa_type=Text)
    tenant_id: UUID = Field(primary_key=True)
    served: int = Field(sa_type=BigInteger)
    unserved: int = Field(sa_type=BigInteger)
    last_seq: int = Field(sa_type=BigInteger)
    """All that is counted has an entry with a number of at most this."""
    told_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    """The source's time of this."""
    pending: bool = True
    """Whether it has not been compared yet."""
    opened: int = Field(default=0, sa_type=BigInteger)
    """Entries of reads among the numbers up to `settled`, and numbers that were missing there for good."""
    settled: int = Field(default=0, sa_type=BigInteger)
    """Up to this number everything has come, or is missing for good, and is counted."""
    unmatched: int = Field(default=0, sa_type=BigInteger)
    """Reads without an entry that were alerted."""
    matched_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))
    """The source's time when it was last compared."""


class Alert(Table, table=True):
    """Something that an auditor must look at; each is reported once."""

    __tablename__ = "alerts"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive
    __table_args__ = (
        UniqueConstraint("kind", "source", "key", name="alerts_once"),
        Index("alerts_by_tenant", "tenant_id", "at", "id"),
    )

    id: UUID = Field(primary_key=True)
    kind: str = Field(sa_type=Text)
    source: str = Field(sa_type=Text)
    key: str = Field(sa_type=Text)
    """Tells two alerts of one kind and source apart, and one that is found again from a new one."""
    detail: dict[str, Any] = Field(sa_type=JSONB)
    at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    tenant_id: UUID | None = None
    """Whose it is; None: of the installation, which its operators look after."""
