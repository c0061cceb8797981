"""Tables that leak signals are told from: counts and networks, no content, and no longer than needed."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, DateTime, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from otokura.access.models import Table, moment


class SeenCall(Table, table=True):
    """When a reader last began to read a call; kept for a day."""

    __tablename__ = "seen_calls"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive
    __table_args__ = (
        Index("ix_seen_calls_newest", "reader_id", "at"),
        Index("ix_seen_calls_oldest", "at"),
    )

    reader_id: UUID = Field(primary_key=True)
    call_id: UUID = Field(primary_key=True, index=True)
    tenant_id: UUID
    read_id: UUID
    """Of the listening that was the last."""
    at: datetime = moment()


class SeenMinute(Table, table=True):
    """How often a reader read, and was refused, within a minute; kept for a day."""

    __tablename__ = "seen_minutes"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive
    __table_args__ = (Index("ix_seen_minutes_oldest", "minute"),)

    reader_id: UUID = Field(primary_key=True)
    minute: datetime = Field(sa_column=Column(DateTime(timezone=True), primary_key=True))
    listenings: int
    denials: int


class SeenPlace(Table, table=True):
    """A network that a reader was seen in; kept for half a year after the last time."""

    __tablename__ = "seen_places"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive

    reader_id: UUID = Field(primary_key=True)
    network: str = Field(primary_key=True)
    first_at: datetime = moment()
    last_at: datetime = moment()


class LeakSignal(Table, table=True):
    """That a rule matched a reader."""

    __tablename__ = "leak_signals"  # pyright: ignore[reportAssignmentType] - a directive of SQLModel
    __table_args__ = (
        Index("ix_leak_signals_newest", "tenant_id", "id"),
        Index("ix_leak_signals_reader", "reader_id", "rule", "at"),
    )

    id: UUID = Field(primary_key=True)
    tenant_id: UUID = Field(foreign_key="tenants.id")
    reader_id: UUID = Field(foreign_key="principals.id")
    rule: str
    kind: str
    detail: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    """What was counted."""
    paused: bool
    """Whether it kept the reader from reading."""
    at: datetime = moment()
    lifted_at: datetime | None = moment(nullable=True)
    """When an administrator let the reader read again."""
