"""The tables of resumable uploads: the bytes lie in the store, and count when their row is here."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ColumnElement,
    DateTime,
    Index,
    LargeBinary,
    exists,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, col

from otokura.ingest.models import Call, Table


class UploadState(StrEnum):
    """Where an upload is: it takes bytes, it has all of them, or it will never have them."""

    OPEN = "open"
    COMPLETE = "complete"
    GONE = "gone"


class Upload(Table, table=True):
    """A file on its way into a call."""

    __tablename__ = "uploads"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive
    __table_args__ = (
        CheckConstraint("state IN ('open','complete','gone')", name="ck_uploads_state"),
        CheckConstraint("received BETWEEN 0 AND length", name="ck_uploads_received"),
        CheckConstraint("state <> 'complete' OR received = length", name="ck_uploads_complete"),
        Index("ix_uploads_call", "call_id"),
        Index("ix_uploads_expiry", "expires_at"),
        Index("ix_uploads_uncleaned", "state", postgresql_where=text("cleaned_at IS NULL")),
    )

    id: UUID = Field(primary_key=True)
    call_id: UUID = Field(foreign_key="calls.id")
    tenant_id: UUID
    state: str = UploadState.OPEN
    length: int = Field(sa_type=BigInteger)
    """Bytes of the file, as announced."""
    received: int = Field(default=0, sa_type=BigInteger)
    """Bytes of it that are stored: the offset."""
    parts: int = 0
    epoch: int = Field(default=0, sa_type=BigInteger)
    """Counts the requests that wrote; only the newest may."""
    described: bytes | None = Field(default=None, sa_column=Column("metadata", LargeBinary))
    """Ciphertext of the client's Upload-Metadata: file names hold names and numbers of people."""
    problem: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    """Why the whole file was refused: the `code` and `detail` of a problem."""
    expires_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    cleaned_at: datetime | None = Field(
        default=None, sa_column=Column(DateTime(timezone=True), nullable=True)
    )
    """When its objects were removed."""


class Part(Table, table=True):
    """Some bytes of an upload, as one encrypted object."""

    __tablename__ = "upload_parts"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive
    __table_args__ = (CheckConstraint("size > 0", name="ck_upload_parts_size"),)

    upload_id: UUID = Field(primary_key=True, foreign_key="uploads.id")
    start: int = Field(primary_key=True, sa_type=BigInteger)
    size: int
    epoch: int = Field(sa_type=BigInteger)
    object_name: str


def has_open_upload() -> ColumnElement[bool]:
    """Whether the call of a query waits for the rest of a file: it is not forgotten while that may come."""
    return exists().where(
        col(Upload.call_id) == col(Call.id),
        col(Upload.state) == UploadState.OPEN,
        col(Upload.expires_at) > func.clock_timestamp(),
    )
