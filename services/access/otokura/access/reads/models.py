"""Tables of the read model, filled by events that may come late, twice or in any order.

Each event owns its columns and its version column; a version that is not newer changes nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field

from otokura.access.models import Table, moment


class CallRecord(Table, table=True):
    """A call as far as its events have come. Until its beginning has come it is not shown."""

    __tablename__ = "calls"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive
    __table_args__ = (
        Index("ix_calls_newest", "tenant_id", "started_at", "call_id"),
        Index("ix_calls_agent", "tenant_id", "agent_id"),
    )

    call_id: UUID = Field(primary_key=True)
    tenant_id: UUID

    started_version: int = Field(default=-1, sa_type=BigInteger)
    external_id: str | None = None
    direction: str | None = None
    agent_id: str | None = None
    channels: list[dict[str, Any]] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    notice: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    purposes: list[str] | None = Field(default=None, sa_column=Column(ARRAY(Text)))
    language: str | None = None
    started_at: datetime | None = moment(nullable=True)
    personal: bytes | None = Field(default=None, sa_column=Column(LargeBinary))

    ended_version: int = Field(default=-1, sa_type=BigInteger)
    ended_at: datetime | None = moment(nullable=True)

    settled_version: int = Field(default=-1, sa_type=BigInteger)
    outcome: str | None = None
    failure: str | None = None
    settled_at: datetime | None = moment(nullable=True)

    sealed_version: int = Field(default=-1, sa_type=BigInteger)
    manifest: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    manifest_sha256: str | None = None
    sealed_at: datetime | None = moment(nullable=True)
    customer_key: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    """The key for the tenant's own: `otokura.shared.customer_keys.CustomerCopy`."""

    recording_erased_at: datetime | None = moment(nullable=True)
    transcript_erased_at: datetime | None = moment(nullable=True)


class CallKeyRecord(Table, table=True):
    """A call's wrapped DEK. Useless without the tenant's KEK, and never beside the object."""

    __tablename__ = "call_keys"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive
    __table_args__ = (Index("ix_call_keys_kek_id", "kek_id"),)

    call_id: UUID = Field(primary_key=True)
    tenant_id: UUID
    version: int = Field(sa_type=BigInteger)
    kek_id: str
    wrapped: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    commitment: str


class TranscriptRecord(Table, table=True):
    """Where a call's newest transcript lies, or why there is none.

    `version` is that of the transcript, `failed_version` that of the newest failure; in whatever order they
    come, the newest of each stays.
    """

    __tablename__ = "transcripts"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive

    call_id: UUID = Field(primary_key=True)
    tenant_id: UUID
    version: int = Field(default=-1, sa_type=BigInteger)
    event: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    completed_at: datetime | None = moment(nullable=True)
    failed_version: int = Field(default=-1, sa_type=BigInteger)
    failure: str | None = None


class TranscriptVersion(Table, table=True):
    """One completed transcript of a call. Versions are kept as long as the call is."""

    __tablename__ = "transcript_versions"  # pyright: ignore[reportAssignmentType]

    call_id: UUID = Field(primary_key=True)
    version: int = Field(sa_type=BigInteger, primary_key=True)
    tenant_id: UUID
    event: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    request_id: UUID | None = None
    """The request that it was made again for."""
    completed_at: datetime = moment()
