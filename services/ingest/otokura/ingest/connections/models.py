"""The tables of connections. Secrets stand here as ciphertext, capabilities and nonces as hashes."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from otokura.ingest.models import Table


def _time() -> Column[datetime]:
    return Column(DateTime(timezone=True), nullable=False)


class StoredConnection(Table, table=True):
    """One dialect of one vendor's client: what it may start calls with."""

    __tablename__ = "connections"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive
    __table_args__ = (
        CheckConstraint(
            "(kek_id IS NULL) = (secret IS NULL) AND (wrapped_key IS NULL) = (secret IS NULL)",
            name="ck_connections_secret",
        ),
    )

    client_id: UUID = Field(primary_key=True)
    dialect: str = Field(primary_key=True)
    id: UUID = Field(unique=True)
    """The owner of the secret: new with each registration, so that an old secret opens nothing again."""
    tenant_id: UUID
    settings: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    """As registered, without the secret."""
    kek_id: str | None = None
    wrapped_key: bytes | None = None
    secret: bytes | None = None
    """`otokura.ingest.vendor_secrets.SealedSecret`."""
    version: int = Field(default=1, sa_type=BigInteger)
    created_at: datetime = Field(sa_column=_time())
    updated_at: datetime = Field(sa_column=_time())


class AudioSocket(Table, table=True):
    """A UUID that was given out for one channel of a call: who knows it may send that channel's audio."""

    __tablename__ = "audio_sockets"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive
    __table_args__ = (
        CheckConstraint("channel IN (0, 1)", name="ck_audio_sockets_channel"),
        Index("ix_audio_sockets_call_id", "call_id"),
    )

    uuid_sha256: bytes = Field(primary_key=True)
    call_id: UUID = Field(foreign_key="calls.id")
    client_id: UUID
    tenant_id: UUID
    channel: int
    created_at: datetime = Field(sa_column=_time())
    expires_at: datetime = Field(sa_column=_time())


class UsedNonce(Table, table=True):
    """A signature's nonce, while a repeat of it would still be young enough to pass."""

    __tablename__ = "used_nonces"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive
    __table_args__ = (Index("ix_used_nonces_expires_at", "expires_at"),)

    client_id: UUID = Field(primary_key=True)
    nonce_sha256: bytes = Field(primary_key=True)
    expires_at: datetime = Field(sa_column=_time())
