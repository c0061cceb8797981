"""The tables by which a service takes part in a rotation of key-encryption keys."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, MetaData, Table, Text, Uuid, func
from sqlalchemy.dialects.postgresql import JSONB

REWRAP_LOCK = 0x6F746F6B_75726103
"""Advisory lock key: "otokura" and 3. Shared by every transaction that stores a wrapped key, exclusive for
the one that retires keys."""

rewrapping_metadata = MetaData()

rewrappings = Table(
    "rewrappings",
    rewrapping_metadata,
    Column("rotation_id", Uuid, primary_key=True),
    # The key that wraps from here on; NULL where every tenant has its own.
    Column("kek_id", Text, nullable=True),
    Column("heard_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    # Of the event that said last how far this is, and what that event said.
    Column("version", BigInteger, nullable=False),
    Column("told", JSONB(none_as_null=True), nullable=True),
    Column("finished_at", DateTime(timezone=True), nullable=True),
)

retired_keks = Table(
    "retired_keks",
    rewrapping_metadata,
    # No row of this database may name it any more: a trigger refuses that.
    Column("kek_id", Text, primary_key=True),
    Column("retired_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
